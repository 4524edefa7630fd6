#include "server/token_text.h"

#include <algorithm>
#include <cmath>

namespace paro::server {
namespace {

// Length of the UTF-8 sequence at the start of `text`; 0: there is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xC2 && lead < 0xE0   ? 2
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const unsigned char second = byte(1);
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool outside = (lead == 0xED && second >= 0xA0) || (lead == 0xF4 && second >= 0x90);
  return overlong || outside ? 0 : length;
}

}  // namespace

std::string token_text(const text::Tokenizer& tokenizer, int32_t id) {
  std::string_view bytes = tokenizer.token_bytes(id);
  std::string text;
  while (!bytes.empty()) {
    const size_t length = utf8_length(bytes);
    text += length == 0 ? std::string_view("\xEF\xBF\xBD") : bytes.substr(0, length);
    bytes.remove_prefix(std::max<size_t>(length, 1));
  }
  return text;
}

boost::json::array token_bytes(const text::Tokenizer& tokenizer, int32_t id) {
  boost::json::array bytes;
  for (const char c : tokenizer.token_bytes(id)) bytes.emplace_back(static_cast<int>(static_cast<unsigned char>(c)));
  return bytes;
}

double finite_logprob(float logprob) { return std::isfinite(logprob) ? static_cast<double>(logprob) : -9999.0; }

}  // namespace paro::server
