// UTF-8: stepping through it, judging it, and the few character classes that tokenizers ask about. Broken input is cut
// as Unicode recommends (one U+FFFD for each maximal part of an ill-formed sequence), which is what Python does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace paro::text {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

enum class Utf8State {
  complete,   // a whole character
  invalid,    // bytes that no character can start with
  truncated,  // the text ends inside of what may become a character
};

struct Utf8Step {
  Utf8State state;
  size_t length_bytes;  // at least 1
};

// The character or the broken part that starts at `position`, which is inside of `text`.
Utf8Step utf8_step(std::string_view text, size_t position);

struct Utf8Char {
  char32_t code;
  size_t length_bytes;
};

// The character at `position` of valid UTF-8.
inline Utf8Char utf8_char(std::string_view text, size_t position) {
  const auto byte = [&](size_t i) { return char32_t(uint8_t(text[position + i])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

// Where the last character of text[0, end) starts; end > 0, valid UTF-8.
inline size_t utf8_previous(std::string_view text, size_t end) {
  size_t start = end - 1;
  while (start > 0 && (uint8_t(text[start]) & 0xC0) == 0x80) --start;
  return start;
}

void append_utf8(std::string& out, char32_t code);
bool is_valid_utf8(std::string_view text);
bool is_ascii(std::string_view text);

// `text` with U+FFFD for what is no UTF-8.
std::string replace_invalid_utf8(std::string_view text);

bool is_white_space(char32_t code);  // White_Space
bool is_word(char32_t code);         // \w of Unicode regular expressions
bool is_numeric(char32_t code);      // Nd, Nl, No
bool is_punctuation(char32_t code);  // ASCII punctuation and symbols, P*

}  // namespace paro::text
