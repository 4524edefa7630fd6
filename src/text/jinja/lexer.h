// Template source -> tokens, with trim_blocks and lstrip_blocks applied: one pass, the same choices in the same order
// as the regular expressions of jinja2's lexer make.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace paro::text::jinja {

enum class TokenKind { text, block_begin, block_end, print_begin, print_end, name, string, integer, real, op, end };

struct Token {
  TokenKind kind;
  int line;
  std::string text;  // template text, a name, the value of a string literal, or an operator
  Value number;      // of integer and real

  bool is_op(std::string_view op) const { return kind == TokenKind::op && text == op; }
  bool is_name(std::string_view name) const { return kind == TokenKind::name && text == name; }
};

// A fault of the source, found before rendering.
class SyntaxError : public Failure {
 public:
  SyntaxError(int line_, std::string message) : Failure(std::move(message)), line(line_) {}
  const int line;
};

// `source` is valid UTF-8. Ends with a token of kind end.
std::vector<Token> tokenize(std::string_view source);

}  // namespace paro::text::jinja
