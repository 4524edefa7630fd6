#include "text/jinja/lexer.h"

#include <algorithm>
#include <cstdlib>

#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

bool is_digit_in(char c, unsigned base) {
  const unsigned digit = c >= '0' && c <= '9'                 ? unsigned(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? unsigned((c | 32) - 'a' + 10)
                                                              : 99;
  return digit < base;
}

// Line ends become \n; one at the very end is dropped.
std::string normalized(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out.push_back(source[i]);
      continue;
    }
    out.push_back('\n');
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) template_text();
    add(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail_here(std::string message) const { throw SyntaxError(line_, std::move(message)); }

  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  bool starts(std::string_view text) const { return rest().substr(0, text.size()) == text; }

  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text), Value()}); }

  // Moves on by n bytes.
  void advance(size_t n) {
    line_ += int(std::count(source_.begin() + int64_t(at_), source_.begin() + int64_t(at_ + n), '\n'));
    at_ += n;
    if (n > 0) line_starting_ = source_[at_ - 1] == '\n';
  }

  size_t spaces_from(size_t at) const {
    while (at < source_.size()) {
      size_t next = at;
      if (!is_space(decode_at(source_, next))) break;
      at = next;
    }
    return at;
  }

  // Template text up to the next tag, then the tag.
  void template_text() {
    size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source_.size()) {
        add(TokenKind::text, source_.substr(at_));
        advance(source_.size() - at_);
        return;
      }
      if (source_[tag + 1] == '{' || source_[tag + 1] == '%' || source_[tag + 1] == '#') break;
    }
    const char kind = source_[tag + 1];
    const char mark = tag + 2 < source_.size() ? source_[tag + 2] : char(0);
    const char sign = mark == '-' || mark == '+' ? mark : char(0);
    const std::string text = source_.substr(at_, tag - at_);
    size_t keep = text.size();
    if (sign == '-') {
      keep = trimmed_size(text);
    } else if (sign != '+' && kind != '{') {
      // lstrip_blocks: only white space between the start of the line and the tag goes.
      const size_t line_begin = text.rfind('\n') + 1;
      if (line_begin > 0 || line_starting_) {
        const std::string_view head = std::string_view(text).substr(line_begin);
        if (!head.empty() && trimmed_size(head) == 0) keep = line_begin;
      }
    }
    if (keep > 0) add(TokenKind::text, text.substr(0, keep));
    advance(tag - at_);
    if (kind == '%' && raw_block(sign)) return;
    advance(sign != 0 ? 3 : 2);
    if (kind == '#') return comment();
    add(kind == '%' ? TokenKind::block_begin : TokenKind::print_begin, "");
    tag_body(kind == '%');
  }

  static size_t trimmed_size(std::string_view text) {
    size_t end = text.size();
    while (end > 0) {
      size_t last = end - 1;
      while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
      size_t next = last;
      if (!is_space(decode_at(text, next))) break;
      end = last;
    }
    return end;
  }

  // The size of an end of a block or comment at `at`: "%}" with its sign and what it trims, or 0.
  size_t end_size(size_t at, std::string_view end) const {
    const std::string_view view = std::string_view(source_).substr(at);
    if (view.empty()) return 0;
    if (view[0] == '+' && view.substr(1, 2) == end) return 3;
    if (view[0] == '-' && view.substr(1, 2) == end) return spaces_from(at + 3) - at;
    if (view.substr(0, 2) != end) return 0;
    return view.size() > 2 && view[2] == '\n' ? 3 : 2;
  }

  void comment() {
    for (size_t at = at_; at < source_.size(); ++at) {
      if (const size_t size = end_size(at, "#}")) {
        advance(at + size - at_);
        return;
      }
    }
    fail_here("Missing end of comment tag");
  }

  // {% raw %} ... {% endraw %} becomes text. False when the tag at at_ is another one.
  bool raw_block(char sign) {
    size_t at = spaces_from(at_ + (sign != 0 ? 3 : 2));
    if (source_.compare(at, 3, "raw") != 0) return false;
    at = spaces_from(at + 3);
    if (source_.compare(at, 3, "-%}") == 0) {
      at = spaces_from(at + 3);
    } else if (source_.compare(at, 2, "%}") == 0) {
      at += 2;
    } else {
      return false;
    }
    advance(at - at_);
    for (size_t tag = source_.find("{%", at_); tag != std::string::npos; tag = source_.find("{%", tag + 1)) {
      const char mark = tag + 2 < source_.size() ? source_[tag + 2] : char(0);
      const bool has_sign = mark == '-' || mark == '+';
      size_t end = spaces_from(tag + (has_sign ? 3 : 2));
      if (source_.compare(end, 6, "endraw") != 0) continue;
      end = spaces_from(end + 6);
      const size_t size = end_size(end, "%}");
      if (size == 0) continue;
      const std::string text = source_.substr(at_, tag - at_);
      size_t keep = text.size();
      if (mark == '-') {
        keep = trimmed_size(text);
      } else if (mark != '+') {
        const size_t line_begin = text.rfind('\n') + 1;
        const std::string_view head = std::string_view(text).substr(line_begin);
        if ((line_begin > 0 || line_starting_) && !head.empty() && trimmed_size(head) == 0) keep = line_begin;
      }
      if (keep > 0) add(TokenKind::text, text.substr(0, keep));
      advance(end + size - at_);
      return true;
    }
    fail_here("Missing end of raw directive");
  }

  // Tokens up to the end of the tag.
  void tag_body(bool is_block) {
    std::string open;  // brackets that wait for their end
    while (at_ < source_.size()) {
      if (open.empty()) {
        const size_t size = is_block ? end_size(at_, "%}") : print_end_size();
        if (size > 0) {
          add(is_block ? TokenKind::block_end : TokenKind::print_end, "");
          advance(size);
          return;
        }
      }
      const size_t after_spaces = spaces_from(at_);
      if (after_spaces > at_) {
        advance(after_spaces - at_);
        continue;
      }
      const char c = source_[at_];
      size_t next = at_;
      const char32_t code_point = decode_at(source_, next);
      if (c >= '0' && c <= '9') {
        number();
      } else if (is_word(code_point)) {
        name();
      } else if (c == '\'' || c == '"') {
        string(c);
      } else {
        op(open);
      }
    }
  }

  size_t print_end_size() const {
    if (starts("-}}")) return spaces_from(at_ + 3) - at_;
    return starts("}}") ? 2 : 0;
  }

  // Digits of `base`, single underscores between them; returns their end.
  size_t digits_from(size_t at, unsigned base) const {
    while (at < source_.size()) {
      if (is_digit_in(source_[at], base)) {
        ++at;
      } else if (source_[at] == '_' && at + 1 < source_.size() && is_digit_in(source_[at + 1], base)) {
        at += 2;
      } else {
        break;
      }
    }
    return at;
  }

  void number() {
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    size_t end = digits_from(at_, 10);
    bool real = false;
    if (!after_dot) {
      size_t fraction = end;
      if (fraction + 1 < source_.size() && source_[fraction] == '.' && is_digit_in(source_[fraction + 1], 10)) {
        fraction = digits_from(fraction + 1, 10);
      }
      size_t exponent = fraction;
      if (exponent < source_.size() && (source_[exponent] | 32) == 'e') {
        size_t digits = exponent + 1;
        if (digits < source_.size() && (source_[digits] == '+' || source_[digits] == '-')) ++digits;
        if (digits < source_.size() && is_digit_in(source_[digits], 10)) exponent = digits_from(digits, 10);
      }
      real = exponent > end;
      if (real) end = exponent;
    }
    unsigned base = 10;
    if (!real && source_[at_] == '0') {
      const char mark = at_ + 1 < source_.size() ? char(source_[at_ + 1] | 32) : char(0);
      const unsigned marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
      const size_t digits = at_ + 2 + (at_ + 2 < source_.size() && source_[at_ + 2] == '_' ? 1 : 0);
      if (marked != 0 && digits < source_.size() && is_digit_in(source_[digits], marked)) {
        base = marked;
        end = digits_from(digits, marked);
      } else {
        end = at_ + 1;  // zeros only: 012 is 0 and 12
        while (end < source_.size() &&
               (source_[end] == '0' || (source_[end] == '_' && end + 1 < source_.size() && source_[end + 1] == '0'))) {
          ++end;
        }
      }
    }
    std::string text = source_.substr(at_, end - at_);
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    Token token{real ? TokenKind::real : TokenKind::integer, line_, text, Value()};
    if (real) {
      token.number = Value::real(std::strtod(text.c_str(), nullptr));
    } else {
      int64_t value = 0;
      for (const char c : std::string_view(text).substr(base == 10 ? 0 : 2)) {
        const int digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
        if (__builtin_mul_overflow(value, int64_t(base), &value) ||
            __builtin_add_overflow(value, int64_t(digit), &value)) {
          fail_here("the integer " + text + " exceeds 64 bits");
        }
      }
      token.number = Value::integer(value);
    }
    tokens_.push_back(std::move(token));
    advance(end - at_);
  }

  void name() {
    size_t end = at_;
    while (end < source_.size()) {
      size_t next = end;
      if (!is_word(decode_at(source_, next))) break;
      end = next;
    }
    const std::string text = source_.substr(at_, end - at_);
    if (!is_identifier(text)) fail_here("Invalid character in identifier");
    add(TokenKind::name, text);
    advance(end - at_);
  }

  void string(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail_here(std::string("unexpected char ") + quote + ": the string does not end");
    add(TokenKind::string, unescaped(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    advance(end + 1 - at_);
  }

  std::string unescaped(std::string_view text) const {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      if (text[at] != '\\') {
        out.push_back(text[at++]);
        continue;
      }
      if (++at >= text.size()) fail_here("\\ at end of string");
      const char c = text[at];
      static constexpr std::string_view kNames = "abfnrtv\\'\"", kValues = "\a\b\f\n\r\t\v\\'\"";
      if (const size_t named = kNames.find(c); named != std::string_view::npos) {
        out.push_back(kValues[named]);
        ++at;
      } else if (c == '\n') {
        ++at;
      } else if (c >= '0' && c <= '7') {
        char32_t value = 0;
        for (int n = 0; n < 3 && at < text.size() && is_digit_in(text[at], 8); ++n)
          value = value * 8 + char32_t(text[at++] - '0');
        append_utf8(out, value);
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        char32_t value = 0;
        ++at;
        for (size_t i = 0; i < n; ++i, ++at) {
          if (at >= text.size() || !is_digit_in(text[at], 16)) fail_here(std::string("truncated \\") + c + " escape");
          value = value * 16 + char32_t(text[at] <= '9' ? text[at] - '0' : (text[at] | 32) - 'a' + 10);
        }
        if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
          fail_here("illegal Unicode character in a string");
        append_utf8(out, value);
      } else if (c == 'N') {
        fail_here("\\N escapes are not supported");
      } else {
        // Not an escape: the backslash stays. Before a letter outside ASCII, Python shows that letter's code.
        out.push_back('\\');
        const char32_t letter = decode_at(text, at);
        if (letter < 0x80) {
          out.push_back(c);
        } else {
          out += letter < 0x100     ? fmt::format("x{:02x}", uint32_t(letter))
                 : letter < 0x10000 ? fmt::format("u{:04x}", uint32_t(letter))
                                    : fmt::format("U{:08x}", uint32_t(letter));
        }
      }
    }
    return out;
  }

  void op(std::string& open) {
    static constexpr std::string_view kLong[] = {"**", "//", "==", "!=", ">=", "<="};
    std::string text;
    for (const std::string_view candidate : kLong) {
      if (starts(candidate)) text = candidate;
    }
    if (text.empty()) {
      if (std::string_view("+-/*%~[](){}><=.:|,;").find(source_[at_]) == std::string_view::npos) {
        size_t next = at_;
        decode_at(source_, next);
        fail_here("unexpected char '" + source_.substr(at_, next - at_) + "'");
      }
      text = source_.substr(at_, 1);
    }
    const char c = text[0];
    if (text.size() == 1 && (c == '(' || c == '[' || c == '{')) open.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    if (text.size() == 1 && (c == ')' || c == ']' || c == '}')) {
      if (open.empty()) fail_here("unexpected '" + text + "'");
      if (open.back() != c) fail_here("unexpected '" + text + "', expected '" + open.back() + "'");
      open.pop_back();
    }
    add(TokenKind::op, text);
    advance(text.size());
  }

  const std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(normalized(source)).run(); }

}  // namespace paro::text::jinja
