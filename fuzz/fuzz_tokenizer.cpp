// A tokenizer.json up to the first zero byte, and after it a text: encoded, decoded at once and token by token.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "require.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace {

using paro::require;

void check_decoding(const paro::text::Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  for (const bool skip_special_tokens : {false, true}) {
    const std::string text = tokenizer.decode(ids, skip_special_tokens);
    require(paro::text::is_valid_utf8(text));
    paro::text::StreamDecoder decoder(tokenizer, skip_special_tokens);
    std::string streamed;
    for (const int32_t id : ids) {
      const std::string piece = decoder.push(id);
      require(paro::text::is_valid_utf8(piece));
      streamed += piece;
    }
    require(streamed + decoder.finish() == text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size_bytes) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size_bytes);
  const size_t end_of_json = input.find('\0');
  const std::string_view text = end_of_json == std::string_view::npos ? "" : input.substr(end_of_json + 1);
  try {
    const auto tokenizer = paro::text::Tokenizer::from_json(input.substr(0, end_of_json));
    require(tokenizer.memory_bytes() > 0);
    const std::vector<int32_t> ids = tokenizer.encode(text, true);
    check_decoding(tokenizer, ids);
    // Ids that no encoding gives, some of them unknown.
    std::vector<int32_t> any_ids;
    for (const char byte : text) any_ids.push_back(int32_t(byte) * 3);
    check_decoding(tokenizer, any_ids);
    for (const int32_t id : ids) (void)tokenizer.token_bytes(id);
  } catch (const paro::Error& error) {
    require(error.kind() == paro::ErrorKind::tokenizer || error.kind() == paro::ErrorKind::request);
  }
  return 0;
}
