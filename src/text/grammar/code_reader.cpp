#include "text/grammar/code_reader.h"

#include <algorithm>

#include "text/utf8.h"

namespace paro::text {

CodeReader::CodeReader(std::string_view text, std::string_view what, Places places)
    : text_(text), what_(what), places_(places) {
  if (!is_valid_utf8(text)) throw Error(ErrorKind::request, "{}: expected valid UTF-8", what_);
}

char32_t CodeReader::peek() const { return at_end() ? kEnd : utf8_char(text_, at_).code; }

char32_t CodeReader::next() {
  if (at_end()) fail("the text ends too early");
  const Utf8Char read = utf8_char(text_, at_);
  at_ += read.length_bytes;
  return read.code;
}

bool CodeReader::accept(std::string_view ascii) {
  if (!starts_with(ascii)) return false;
  at_ += ascii.size();
  return true;
}

void CodeReader::expect(std::string_view ascii) {
  if (!accept(ascii)) fail(fmt::format("expected '{}', got {}", ascii, shown(peek())));
}

std::optional<uint32_t> CodeReader::accept_number() {
  const size_t begin = at_;
  uint64_t value = 0;
  while (!at_end() && text_[at_] >= '0' && text_[at_] <= '9') {
    value = std::min<uint64_t>(value * 10 + uint64_t(text_[at_] - '0'), UINT32_MAX - 1);
    ++at_;
  }
  if (at_ == begin) return std::nullopt;
  return uint32_t(value);
}

char32_t CodeReader::hex(int n_digits) {
  char32_t value = 0;
  for (int i = 0; i < n_digits; ++i) {
    const char32_t c = peek();
    char32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      fail(fmt::format("expected {} hexadecimal digits, got {}", n_digits, shown(c)));
    }
    value = value << 4 | digit;
    next();
  }
  return value;
}

void CodeReader::fail_at(size_t position, std::string_view problem) const {
  const std::string_view before = text_.substr(0, position);
  if (places_ == Places::positions) {
    const auto starts = std::ranges::count_if(before, [](char c) { return (uint8_t(c) & 0xC0) != 0x80; });
    throw Error(ErrorKind::request, "{}: character {}: {}", what_, starts + 1, problem);
  }
  const auto line = std::ranges::count(before, '\n') + 1;
  const std::string_view in_line = before.substr(before.rfind('\n') + 1);
  const auto column = std::ranges::count_if(in_line, [](char c) { return (uint8_t(c) & 0xC0) != 0x80; }) + 1;
  throw Error(ErrorKind::request, "{}: line {}, column {}: {}", what_, line, column, problem);
}

std::string shown(char32_t code) {
  if (code == CodeReader::kEnd) return "the end";
  if (code == '\n') return "the end of the line";
  if (code < 0x20 || code == 0x7F) return fmt::format("U+{:04X}", uint32_t(code));
  std::string text = "'";
  append_utf8(text, code);
  return text + "'";
}

}  // namespace paro::text
