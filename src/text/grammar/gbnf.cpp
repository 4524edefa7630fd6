// Reads GBNF, the notation of llama.cpp: rules `name ::= ...` of literals, character classes, groups, repetitions,
// comments and tokens, where `root` is the whole text.
#include <algorithm>
#include <map>
#include <string>

#include "text/grammar/code_reader.h"
#include "text/grammar/grammar.h"
#include "text/grammar/grammar_builder.h"
#include "text/utf8.h"

namespace paro::text {
namespace {

using Expression = GrammarBuilder::Expression;

constexpr int kMaxDepth = 128;
constexpr uint32_t kMaxRepeats = 100000;
constexpr size_t kMaxTextBytes = 1 << 18;

class GbnfReader {
 public:
  GbnfReader(std::string_view text, const Grammar::TokenLookup& token_id)
      : in_(text, "grammar", CodeReader::Places::lines), token_id_(token_id) {
    if (text.size() > kMaxTextBytes) {
      throw Error(ErrorKind::request, "grammar: {} bytes, expected at most {}", text.size(), kMaxTextBytes);
    }
  }

  Grammar read() {
    for (skip_space(true); !in_.at_end(); skip_space(true)) read_rule();
    for (const auto& [name, rule] : rules_) {
      if (!rule.is_defined) in_.fail_at(rule.first_use, fmt::format("rule '{}' is nowhere defined", name));
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) throw Error(ErrorKind::request, "grammar: no rule 'root', which the text starts from");
    return builder_.build(builder_.use(root->second.rule));
  }

 private:
  struct NamedRule {
    GrammarBuilder::Rule rule;
    size_t first_use;
    bool is_defined = false;
  };

  void skip_space(bool over_lines) {
    for (;;) {
      const char32_t c = in_.peek();
      if (c == '#') {
        while (!in_.at_end() && in_.peek() != '\n' && in_.peek() != '\r') in_.next();
      } else if (c == ' ' || c == '\t' || (over_lines && (c == '\n' || c == '\r'))) {
        in_.next();
      } else {
        return;
      }
    }
  }

  static bool is_name(char32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  }

  std::string read_name() {
    const size_t begin = in_.position();
    while (is_name(in_.peek())) in_.next();
    if (in_.position() == begin) in_.fail(fmt::format("expected a rule's name, got {}", shown(in_.peek())));
    return std::string(in_.since(begin));
  }

  NamedRule& rule(const std::string& name, size_t position) {
    const auto found = rules_.find(name);
    if (found != rules_.end()) return found->second;
    return rules_.emplace(name, NamedRule{builder_.declare_rule(name), position}).first->second;
  }

  void read_rule() {
    const size_t begin = in_.position();
    const std::string name = read_name();
    NamedRule& named = rule(name, begin);
    if (named.is_defined) in_.fail_at(begin, fmt::format("rule '{}' is defined twice", name));
    named.is_defined = true;
    skip_space(false);
    in_.expect("::=");
    skip_space(true);
    builder_.define(named.rule, read_alternatives(0));
    const char32_t c = in_.peek();
    if (c != CodeReader::kEnd && c != '\n' && c != '\r') {
      in_.fail(fmt::format("expected the rule to end with its line, got {}", shown(c)));
    }
  }

  // Within parentheses lines do not matter; a rule goes on in the next line behind a '|'.
  Expression read_alternatives(int depth) {
    if (depth > kMaxDepth) in_.fail(fmt::format("groups nested more than {} deep", kMaxDepth));
    std::vector<Expression> alternatives{read_sequence(depth)};
    while (in_.accept("|")) {
      skip_space(true);
      alternatives.push_back(read_sequence(depth));
    }
    return builder_.alternatives(alternatives);
  }

  Expression read_sequence(int depth) {
    std::vector<Expression> parts;
    while (std::optional<Expression> item = read_item(depth)) {
      skip_space(depth > 0);
      parts.push_back(read_repeats(*item, depth));
    }
    return builder_.sequence(parts);
  }

  std::optional<Expression> read_item(int depth) {
    const size_t begin = in_.position();
    if (in_.accept("\"")) return read_literal();
    if (in_.accept("[")) return read_class(begin);
    if (in_.accept(".")) return builder_.any_character();
    if (in_.accept("(")) {
      skip_space(true);
      const Expression group = read_alternatives(depth + 1);
      skip_space(true);
      in_.expect(")");
      return group;
    }
    if (in_.peek() == '<') return read_token();
    if (in_.peek() == '!') in_.fail("a token that is excluded (!<...>) is not supported; write what may stand there");
    if (!is_name(in_.peek())) return std::nullopt;
    const std::string name = read_name();
    return builder_.use(rule(name, begin).rule);
  }

  Expression read_repeats(Expression item, int depth) {
    for (;; skip_space(depth > 0)) {
      if (in_.accept("*")) {
        item = builder_.repeat(item, 0);
      } else if (in_.accept("+")) {
        item = builder_.repeat(item, 1);
      } else if (in_.accept("?")) {
        item = builder_.optional(item);
      } else if (in_.accept("{")) {
        item = read_counts(item);
      } else {
        return item;
      }
    }
  }

  Expression read_counts(Expression item) {
    const size_t begin = in_.position();
    const auto number = [&] {
      skip_space(false);
      const std::optional<uint32_t> n = in_.accept_number();
      skip_space(false);
      return n;
    };
    const std::optional<uint32_t> min = number();
    if (!min) in_.fail(fmt::format("expected a number of repetitions, got {}", shown(in_.peek())));
    uint32_t max = *min;
    if (in_.accept(",")) max = number().value_or(GrammarBuilder::kUnbounded);
    in_.expect("}");
    if (*min > max) in_.fail_at(begin, fmt::format("at least {} and at most {} repetitions", *min, max));
    const uint32_t largest = max == GrammarBuilder::kUnbounded ? *min : max;
    if (largest > kMaxRepeats) {
      in_.fail_at(begin, fmt::format("{} repetitions, expected at most {}", largest, kMaxRepeats));
    }
    return builder_.repeat(item, *min, max);
  }

  char32_t read_escape() {
    const size_t begin = in_.position() - 1;
    switch (const char32_t c = in_.next()) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return in_.hex(2);
      case 'u':
        return code_point(in_.hex(4), begin);
      case 'U':
        return code_point(in_.hex(8), begin);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return c;
      default:
        in_.fail_at(begin, fmt::format("an escape \\ before {} is not known", shown(c)));
    }
  }

  char32_t code_point(char32_t code, size_t begin) const {
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
      in_.fail_at(begin, fmt::format("U+{:04X} is no character", uint32_t(code)));
    }
    return code;
  }

  char32_t read_character() {
    if (in_.peek() == '\n') in_.fail("expected the closing mark, got the end of the line");
    const char32_t c = in_.next();
    return c == '\\' ? read_escape() : c;
  }

  Expression read_literal() {
    std::string bytes;
    while (!in_.accept("\"")) append_utf8(bytes, read_character());
    return builder_.literal(bytes);
  }

  Expression read_class(size_t begin) {
    const bool is_negated = in_.accept("^");
    std::vector<CodeRange> ranges;
    while (!in_.accept("]")) {
      const char32_t low = read_character();
      char32_t high = low;
      if (in_.peek() == '-' && !in_.starts_with("-]")) {
        in_.next();
        high = read_character();
      }
      if (low > high) in_.fail_at(begin, fmt::format("a range from {} down to {}", shown(low), shown(high)));
      ranges.push_back({low, high});
    }
    return builder_.character(ranges, is_negated);
  }

  Expression read_token() {
    const size_t begin = in_.position();
    in_.expect("<");
    if (in_.accept("[")) {
      const std::optional<uint32_t> id = in_.accept_number();
      if (!id || *id > uint32_t(INT32_MAX)) in_.fail("expected a token's id");
      in_.expect("]>");
      return builder_.token(int32_t(*id));
    }
    while (in_.peek() != '>' && in_.peek() != '\n' && !in_.at_end()) in_.next();
    in_.expect(">");
    const std::string name(in_.since(begin));
    const std::optional<int32_t> id = token_id_ ? token_id_(name) : std::nullopt;
    if (!id) in_.fail_at(begin, fmt::format("'{}' is no token of the vocabulary", name));
    return builder_.token(*id);
  }

  CodeReader in_;
  const Grammar::TokenLookup& token_id_;
  GrammarBuilder builder_;
  std::map<std::string, NamedRule> rules_;
};

}  // namespace

Grammar Grammar::from_gbnf(std::string_view text, const TokenLookup& token_id) {
  return GbnfReader(text, token_id).read();
}

}  // namespace paro::text
