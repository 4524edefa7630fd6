#include "text/tokenizer_regex_dialect.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <utility>

#include "base/error.h"

namespace paro::text {

namespace {

// \w of Oniguruma: with marks and connectors, which PCRE2's own lacks. Outside of a class it also has the digits and
// fractions of Latin-1.
constexpr std::string_view kWord = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
constexpr std::string_view kLoneWord = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool compiles(const std::string& expression) {
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                                       PCRE2_UTF | PCRE2_UCP, &code, &offset, nullptr);
  pcre2_code_free(compiled);
  return compiled != nullptr;
}

class Rewriter {
 public:
  Rewriter(std::string_view expression, const std::string& where) : in_(expression), where_(where) {}

  std::string run() {
    while (position_ < in_.size()) {
      const char c = in_[position_];
      if (c == '\\') {
        escape();
      } else if (in_class_) {
        class_member(c);
      } else {
        outside_class(c);
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void unsupported(std::string_view what) const {
    throw Error(ErrorKind::tokenizer, "tokenizer.json: {}: {} at byte {} of the regular expression is not supported",
                where_, what, position_);
  }

  bool next_is(std::string_view text) const { return in_.substr(position_).starts_with(text); }

  void take(size_t n) {
    out_ += in_.substr(position_, n);
    position_ += n;
  }

  void put(std::string_view text, size_t n_read) {
    out_ += text;
    position_ += n_read;
  }

  void put_class(std::string_view members, bool negated) {
    if (in_class_ && negated) unsupported("a negated class inside of a class");
    put(in_class_ ? std::string(members) : fmt::format("[{}{}]", negated ? "^" : "", members), 2);
  }

  void escape() {
    if (position_ + 1 == in_.size()) unsupported("a lone backslash");
    const char kind = in_[position_ + 1];
    switch (kind) {
      // PCRE2's \s also has U+180E.
      case 's':
        return put(R"(\p{White_Space})", 2);
      case 'S':
        return put(R"(\P{White_Space})", 2);
      case 'w':
        return put_class(in_class_ ? kWord : kLoneWord, false);
      case 'W':
        return put_class(kLoneWord, true);
      case 'h':
        return put_class("0-9A-Fa-f", false);
      case 'H':
        return put_class("0-9A-Fa-f", true);
      case 'b':
      case 'B':
        return word_boundary(kind == 'B');
      case 'u':
        return code_point();
      case 'p':
      case 'P':
        return property();
      case 'C':
      case 'E':
      case 'G':
      case 'K':
      case 'N':
      case 'O':
      case 'Q':
      case 'R':
      case 'X':
      case 'c':
      case 'g':
      case 'k':
      case 'o':
      case 'y':
      case 'Y':
        unsupported(fmt::format("'\\{}'", kind));
      default:
        return take(2);
    }
  }

  void word_boundary(bool negated) {
    if (in_class_) return take(2);  // a backspace
    const auto beside = [&](std::string_view before, std::string_view after) {
      return fmt::format("(?{}[{}])(?{}[{}])", before, kLoneWord, after, kLoneWord);
    };
    put(fmt::format("(?:{}|{})", beside("<=", negated ? "=" : "!"), beside("<!", negated ? "!" : "=")), 2);
  }

  void code_point() {
    const std::string_view digits = in_.substr(position_ + 2, 4);
    if (digits.size() != 4) unsupported("an incomplete '\\u'");
    for (const char digit : digits) {
      if (!is_hex(digit)) unsupported("an incomplete '\\u'");
    }
    put(fmt::format("\\x{{{}}}", digits), 6);
  }

  // A script is the Script property here, not the Script_Extensions that PCRE2 takes by default.
  void property() {
    const size_t close = in_.find('}', position_);
    if (position_ + 2 >= in_.size() || in_[position_ + 2] != '{' || close == std::string_view::npos) {
      unsupported("a property without braces");
    }
    const std::string_view name = in_.substr(position_ + 3, close - position_ - 3);
    const std::string script = fmt::format("\\{}{{sc:{}}}", in_[position_ + 1], name);
    if (name.size() > 2 && compiles(script)) return put(script, close + 1 - position_);
    take(close + 1 - position_);
  }

  void class_member(char c) {
    if (next_is("[:")) return posix_class();
    if (c == '[') unsupported("a class inside of a class");
    if (next_is("&&")) unsupported("an intersection of classes");
    if (c == ']') in_class_ = false;
    take(1);
  }

  // [:alpha:] and its like are Unicode properties, wider than PCRE2 has them.
  void posix_class() {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kClasses = {{
        {"[:alpha:]", R"(\p{Alphabetic})"},
        {"[:alnum:]", R"(\p{Alphabetic}\p{Nd})"},
        {"[:digit:]", R"(\p{Nd})"},
        {"[:lower:]", R"(\p{Lowercase})"},
        {"[:space:]", R"(\p{White_Space})"},
        {"[:upper:]", R"(\p{Uppercase})"},
        {"[:word:]", kWord},
    }};
    for (const auto& [name, members] : kClasses) {
      if (next_is(name)) return put(members, name.size());
    }
    unsupported("this class inside of a class");
  }

  void outside_class(char c) {
    if (c == '[') {
      in_class_ = true;
      return take(next_is("[^") ? 2 : 1);
    }
    if (c == '(') return group();
    if (c == '{') return repetition();
    take(1);
  }

  void group() {
    if (next_is("(*")) unsupported("'(*'");
    if (!next_is("(?")) return take(1);
    for (const std::string_view plain : {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"}) {
      if (next_is(plain)) return take(plain.size());
    }
    // Options: Ruby's m lets the dot match a newline. A group that only sets options lasts to the end of the enclosing
    // group, alternatives included, in one dialect and not in the other; at the start both agree.
    size_t end = position_ + 2;
    std::string options;
    while (end < in_.size() && (in_[end] == 'i' || in_[end] == 'm' || in_[end] == 'x' || in_[end] == '-')) {
      options += in_[end] == 'm' ? 's' : in_[end];
      ++end;
    }
    if (end == in_.size() || options.empty() || (in_[end] != ':' && (in_[end] != ')' || position_ != 0))) {
      unsupported("this kind of group");
    }
    put(fmt::format("(?{}{}", options, in_[end]), end + 1 - position_);
  }

  // {n,m}+ is a repetition of a repetition in one dialect and possessive in the other; {,m} is a literal in one.
  void repetition() {
    size_t end = position_ + 1;
    while (end < in_.size() && (is_digit(in_[end]) || in_[end] == ',')) ++end;
    const bool is_repetition = end < in_.size() && in_[end] == '}' && end > position_ + 1;
    if (!is_repetition) return take(1);
    if (in_[position_ + 1] == ',' || (end + 1 < in_.size() && in_[end + 1] == '+')) {
      unsupported("this kind of repetition");
    }
    take(end + 1 - position_);
  }

  std::string_view in_;
  const std::string& where_;
  std::string out_;
  size_t position_ = 0;
  bool in_class_ = false;
};

}  // namespace

std::string pcre2_expression(std::string_view expression, const std::string& where) {
  return Rewriter(expression, where).run();
}

}  // namespace paro::text
