// Turns a stream of token ids into text piece by piece: what push() returns, joined, is what Tokenizer::decode gives
// for all ids, and no piece ends inside a UTF-8 sequence.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"
#include "text/tokenizer_decoder.h"

namespace paro::text {

class StreamDecoder {
 public:
  // `tokenizer` must outlive the decoder.
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens);

  // Text that became certain with this token; may be empty. A run of byte tokens comes out when it ends: until then it
  // may still turn out to be no UTF-8.
  std::string push(int32_t id);

  // The rest: an incomplete sequence comes out as U+FFFD. The decoder then starts anew.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_tokens_;
  DecoderState state_;
};

}  // namespace paro::text
