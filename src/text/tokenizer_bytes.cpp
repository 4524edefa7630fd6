#include "text/tokenizer_bytes.h"

#include <array>
#include <cstdint>

#include "text/utf8.h"

namespace paro::text {

namespace {

constexpr char32_t kAlphabetEnd = 0x144;
constexpr int16_t kNoByte = -1;

struct Alphabet {
  std::array<char32_t, 256> code_of_byte{};
  std::array<int16_t, kAlphabetEnd> byte_of_code{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  for (auto& byte : alphabet.byte_of_code) byte = kNoByte;
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const char32_t code = visible ? char32_t(byte) : next++;
    alphabet.code_of_byte[size_t(byte)] = code;
    alphabet.byte_of_code[code] = int16_t(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

void append_byte_level(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) append_utf8(out, kAlphabet.code_of_byte[uint8_t(byte)]);
}

std::optional<std::string> from_byte_level(std::string_view text) {
  std::string bytes;
  for (size_t position = 0; position < text.size();) {
    const Utf8Char c = utf8_char(text, position);
    if (c.code >= kAlphabetEnd || kAlphabet.byte_of_code[c.code] == kNoByte) return std::nullopt;
    bytes += char(kAlphabet.byte_of_code[c.code]);
    position += c.length_bytes;
  }
  return bytes;
}

}  // namespace paro::text
