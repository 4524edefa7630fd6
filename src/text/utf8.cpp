#include "text/utf8.h"

#include <utf8proc.h>

#include <cstring>

namespace paro::text {

Utf8Step utf8_step(std::string_view text, size_t position) {
  const uint8_t lead = uint8_t(text[position]);
  if (lead < 0x80) return {Utf8State::complete, 1};
  // The second byte's range excludes overlong forms, surrogates and what lies beyond U+10FFFF.
  size_t length = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {Utf8State::invalid, 1};
  }
  for (size_t i = 1; i < length; ++i) {
    if (position + i == text.size()) return {Utf8State::truncated, i};
    const uint8_t byte = uint8_t(text[position + i]);
    if (byte < low || byte > high) return {Utf8State::invalid, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8State::complete, length};
}

void append_utf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += char(code);
  } else if (code < 0x800) {
    out += char(0xC0 | code >> 6);
    out += char(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += char(0xE0 | code >> 12);
    out += char(0x80 | (code >> 6 & 0x3F));
    out += char(0x80 | (code & 0x3F));
  } else {
    out += char(0xF0 | code >> 18);
    out += char(0x80 | (code >> 12 & 0x3F));
    out += char(0x80 | (code >> 6 & 0x3F));
    out += char(0x80 | (code & 0x3F));
  }
}

namespace {

// How many bytes from `position` on are ASCII, eight at a time.
size_t ascii_run(std::string_view text, size_t position) {
  size_t end = position;
  while (end + 8 <= text.size()) {
    uint64_t chunk;
    std::memcpy(&chunk, text.data() + end, 8);
    if (chunk & 0x8080808080808080u) break;
    end += 8;
  }
  while (end < text.size() && uint8_t(text[end]) < 0x80) ++end;
  return end - position;
}

}  // namespace

bool is_ascii(std::string_view text) { return ascii_run(text, 0) == text.size(); }

bool is_valid_utf8(std::string_view text) {
  for (size_t position = ascii_run(text, 0); position < text.size(); position += ascii_run(text, position)) {
    const Utf8Step step = utf8_step(text, position);
    if (step.state != Utf8State::complete) return false;
    position += step.length_bytes;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t position = 0; position < text.size();) {
    const Utf8Step step = utf8_step(text, position);
    out += step.state == Utf8State::complete ? text.substr(position, step.length_bytes) : kReplacementCharacter;
    position += step.length_bytes;
  }
  return out;
}

bool is_white_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

bool is_word(char32_t code) {
  switch (utf8proc_category(utf8proc_int32_t(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    // Circled and squared letters are Other_Alphabetic.
    case UTF8PROC_CATEGORY_SO:
      return (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) ||
             (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189);
    default:
      return code == 0x200C || code == 0x200D;  // Join_Control
  }
}

bool is_numeric(char32_t code) {
  const auto category = utf8proc_category(utf8proc_int32_t(code));
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}

bool is_punctuation(char32_t code) {
  if (code < 0x80) {
    return (code >= 0x21 && code <= 0x2F) || (code >= 0x3A && code <= 0x40) || (code >= 0x5B && code <= 0x60) ||
           (code >= 0x7B && code <= 0x7E);
  }
  const auto category = utf8proc_category(utf8proc_int32_t(code));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

}  // namespace paro::text
