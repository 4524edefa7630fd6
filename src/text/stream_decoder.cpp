#include "text/stream_decoder.h"

namespace paro::text {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
    : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens), state_(tokenizer.decoder().start()) {}

std::string StreamDecoder::push(int32_t id) {
  std::string out;
  tokenizer_.decode_token(state_, id, skip_special_tokens_, out);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out;
  tokenizer_.decoder().finish(state_, out);
  state_ = tokenizer_.decoder().start();
  return out;
}

}  // namespace paro::text
