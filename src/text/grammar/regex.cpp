#include "text/grammar/regex.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "text/grammar/code_reader.h"
#include "text/grammar/regex_classes.h"
#include "text/grammar/tree.h"

namespace paro::text {
namespace {

using Expression = GrammarBuilder::Expression;

constexpr int kMaxDepth = 128;
constexpr uint32_t kMaxRepeats = 100000;
constexpr size_t kMaxPatternBytes = 1 << 16;

class RegexReader {
 public:
  RegexReader(GrammarBuilder& builder, std::string_view pattern, const RegexOptions& options)
      : builder_(builder), in_(pattern, "regular expression", CodeReader::Places::positions), options_(options) {
    if (pattern.size() > kMaxPatternBytes) {
      throw Error(ErrorKind::request, "regular expression: {} bytes, expected at most {}", pattern.size(),
                  kMaxPatternBytes);
    }
  }

  Expression read() {
    const Expression whole = read_alternatives(0, {true, true});
    if (!in_.at_end()) in_.fail("a ')' without a '('");
    return whole;
  }

 private:
  // Which ends of the text the alternatives stand at: there an anchor means something, and its absence too.
  struct Ends {
    bool first;
    bool last;
  };

  Expression read_alternatives(int depth, Ends ends) {
    if (depth > kMaxDepth) in_.fail(fmt::format("groups nested more than {} deep", kMaxDepth));
    std::vector<Expression> alternatives{read_sequence(depth, ends)};
    while (in_.accept("|")) alternatives.push_back(read_sequence(depth, ends));
    return builder_.alternatives(alternatives);
  }

  Expression read_sequence(int depth, Ends ends) {
    std::vector<Expression> parts;
    bool starts = false, stops = false, settles_first = false, settles_last = false;
    while (in_.peek() == '^') {
      if (!ends.first) in_.fail("'^' is supported at the beginning of the text alone");
      in_.next();
      starts = true;
    }
    while (!in_.at_end() && in_.peek() != '|' && in_.peek() != ')') {
      if (in_.peek() == '$') {
        if (!ends.last) in_.fail("'$' is supported at the end of the text alone");
        in_.next();
        stops = true;
        continue;
      }
      if (stops) in_.fail("nothing can follow '$'");
      const bool is_first = parts.empty() && !starts;
      if (in_.peek() == '(' && is_first && (ends.first || ends.last) && is_last_group()) {
        // The anchors of a group that is all of its alternative are the alternative's.
        parts.push_back(read_group(depth, ends));
        settles_first = ends.first;
        settles_last = ends.last;
      } else {
        parts.push_back(read_item(depth));
      }
    }
    if (options_.matches_part) {
      if (ends.first && !starts && !settles_first) parts.insert(parts.begin(), anything());
      if (ends.last && !stops && !settles_last) parts.push_back(anything());
    }
    return builder_.sequence(parts);
  }

  // Whether the group that starts here is followed by nothing in its alternative, not even a quantifier.
  bool is_last_group() {
    int open = 0;
    bool in_class = false;
    const size_t begin = in_.position();
    std::optional<bool> result;
    while (!result && !in_.at_end()) {
      const char32_t c = in_.next();
      if (c == '\\' && !in_.at_end()) {
        in_.next();
      } else if (in_class) {
        in_class = c != ']';
      } else if (c == '[') {
        in_class = true;
      } else if (c == '(') {
        ++open;
      } else if (c == ')' && --open == 0) {
        result = in_.at_end() || in_.peek() == '|' || in_.peek() == ')';
      }
    }
    in_.rewind(begin);
    return result.value_or(false);
  }

  Expression read_item(int depth) {
    const char32_t c = in_.peek();
    if (c == '*' || c == '+' || c == '?') in_.fail(fmt::format("nothing that {} could repeat", shown(c)));
    Expression item = c == '(' ? read_group(depth, {false, false}) : builder_.empty();
    if (c != '(') {
      if (c == '^') in_.fail("'^' is supported at the beginning of the text alone");
      item = write(read_atom());
    }
    return read_quantifier(item);
  }

  Expression read_group(int depth, Ends ends) {
    const size_t begin = in_.position();
    in_.expect("(");
    if (in_.accept("?")) {
      if (in_.starts_with("=") || in_.starts_with("!") || in_.starts_with("<=") || in_.starts_with("<!")) {
        in_.fail_at(begin, "look-ahead and look-behind are not supported");
      }
      if (in_.accept("<")) {
        while (in_.next() != '>') {
        }
      } else if (!in_.accept(":")) {
        in_.fail_at(begin, "a group of this kind is not supported");
      }
    }
    const Expression group = read_alternatives(depth + 1, ends);
    in_.expect(")");
    return group;
  }

  Expression read_quantifier(Expression item) {
    const size_t begin = in_.position();
    uint32_t min = 1, max = 1;
    if (in_.accept("*")) {
      min = 0;
      max = GrammarBuilder::kUnbounded;
    } else if (in_.accept("+")) {
      max = GrammarBuilder::kUnbounded;
    } else if (in_.accept("?")) {
      min = 0;
    } else if (!accept_counts(min, max)) {
      return item;
    }
    in_.accept("?");
    if (in_.starts_with("+") || in_.starts_with("*") || in_.starts_with("?")) {
      in_.fail("a quantifier behind a quantifier");
    }
    const uint32_t largest = max == GrammarBuilder::kUnbounded ? min : max;
    if (min > max) in_.fail_at(begin, fmt::format("at least {} and at most {} repetitions", min, max));
    if (largest > kMaxRepeats) {
      in_.fail_at(begin, fmt::format("{} repetitions, expected at most {}", largest, kMaxRepeats));
    }
    return builder_.repeat(item, min, max);
  }

  // {m}, {m,} or {m,n}; any other brace is a character.
  bool accept_counts(uint32_t& min, uint32_t& max) {
    const size_t begin = in_.position();
    if (!in_.accept("{")) return false;
    const std::optional<uint32_t> first = in_.accept_number();
    if (first) {
      min = max = *first;
      if (in_.accept(",")) max = in_.accept_number().value_or(GrammarBuilder::kUnbounded);
      if (in_.accept("}")) return true;
    }
    in_.rewind(begin);
    return false;
  }

  std::vector<CodeRange> read_atom() {
    if (in_.accept(".")) return any_but_line_ends();
    if (in_.accept("[")) return read_class();
    if (in_.accept("\\")) return read_escape(false);
    const char32_t c = in_.next();
    return {{c, c}};
  }

  std::vector<CodeRange> read_class() {
    const size_t begin = in_.position() - 1;
    const bool is_negated = in_.accept("^");
    std::vector<CodeRange> all;
    while (!in_.accept("]")) {
      const std::vector<CodeRange> low = read_class_atom();
      if (in_.peek() != '-' || in_.starts_with("-]")) {
        all.insert(all.end(), low.begin(), low.end());
        continue;
      }
      in_.next();
      const std::vector<CodeRange> high = read_class_atom();
      const auto is_one = [](const std::vector<CodeRange>& set) {
        return set.size() == 1 && set[0].low == set[0].high;
      };
      if (is_one(low) && is_one(high)) {
        if (low[0].low > high[0].low) {
          in_.fail_at(begin, fmt::format("a range from {} down to {}", shown(low[0].low), shown(high[0].low)));
        }
        all.push_back({low[0].low, high[0].low});
      } else {  // as in [\w-.], where the dash is one of the characters
        all.insert(all.end(), low.begin(), low.end());
        all.push_back({'-', '-'});
        all.insert(all.end(), high.begin(), high.end());
      }
    }
    return normalized_ranges(std::move(all), is_negated);
  }

  std::vector<CodeRange> read_class_atom() {
    if (in_.accept("\\")) return read_escape(true);
    const char32_t c = in_.next();
    return {{c, c}};
  }

  std::vector<CodeRange> read_escape(bool in_class) {
    const size_t begin = in_.position() - 1;
    const char32_t c = in_.next();
    if (const auto set = regex_class(c)) return *set;
    if (c == 'p' || c == 'P') return read_property(begin, c == 'P');
    const auto one = [](char32_t code) { return std::vector<CodeRange>{{code, code}}; };
    switch (c) {
      case 't':
        return one('\t');
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case 'x':
        return one(in_.hex(2));
      case 'u':
        return one(read_unicode_escape(begin));
      case 'c': {
        const char32_t letter = in_.next() & ~0x20u;
        if (letter < 'A' || letter > 'Z') in_.fail_at(begin, "expected a letter behind \\c");
        return one(letter - 'A' + 1);
      }
      case 'b':
        if (in_class) return one('\b');
        break;
      case '0':
        if (in_.peek() < '0' || in_.peek() > '9') return one(0);
        break;
      default:
        break;
    }
    const bool is_letter_or_digit = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (is_letter_or_digit) in_.fail_at(begin, fmt::format("\\ before {} is not supported", shown(c)));
    return one(c);
  }

  // \uXXXX, a pair of them for one character beyond U+FFFF, or \u{X...}.
  char32_t read_unicode_escape(size_t begin) {
    char32_t code = 0;
    if (in_.accept("{")) {
      for (int n_digits = 0; !in_.accept("}"); ++n_digits) {
        if (n_digits == 8) in_.fail_at(begin, "expected at most 8 digits");
        code = code << 4 | in_.hex(1);
      }
    } else {
      code = in_.hex(4);
      if (code >= 0xD800 && code <= 0xDBFF && in_.accept("\\u")) {
        const char32_t low = in_.hex(4);
        if (low < 0xDC00 || low > 0xDFFF) in_.fail_at(begin, "half of a surrogate pair is no character");
        code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00));
      }
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
      in_.fail_at(begin, fmt::format("U+{:04X} is no character", uint32_t(code)));
    }
    return code;
  }

  std::vector<CodeRange> read_property(size_t begin, bool is_negated) {
    in_.expect("{");
    const size_t name_begin = in_.position();
    while (in_.peek() != '}' && !in_.at_end()) in_.next();
    const std::string name(in_.since(name_begin));
    in_.expect("}");
    const auto set = unicode_category(name);
    if (!set) in_.fail_at(begin, fmt::format("'{}' is no general category; other properties are not supported", name));
    return normalized_ranges(*set, is_negated);
  }

  Expression write(const std::vector<CodeRange>& ranges) {
    const std::vector<CodeRange> set = normalized_ranges(ranges, false);
    return options_.write_character ? options_.write_character(set) : builder_.character(set);
  }

  Expression anything() { return builder_.repeat(write(normalized_ranges({}, true)), 0); }

  GrammarBuilder& builder_;
  CodeReader in_;
  const RegexOptions& options_;
};

}  // namespace

Expression read_regex(GrammarBuilder& builder, std::string_view pattern, const RegexOptions& options) {
  return RegexReader(builder, pattern, options).read();
}

Grammar Grammar::from_regex(std::string_view pattern) {
  GrammarBuilder builder;
  return builder.build(read_regex(builder, pattern));
}

}  // namespace paro::text
