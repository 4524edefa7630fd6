// The tokens of a template, read one by one: what both halves of the parser build on.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/lexer.h"

namespace paro::text::jinja {

std::string describe(const Token& token);

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token next() {
    Token token = current();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool skip_op(std::string_view op) {
    if (!current().is_op(op)) return false;
    next();
    return true;
  }
  bool skip_name(std::string_view name) {
    if (!current().is_name(name)) return false;
    next();
    return true;
  }
  [[noreturn]] void fail_at(int line, std::string message) const { throw SyntaxError(line, std::move(message)); }
  void expect_op(std::string_view op) {
    if (!skip_op(op)) fail_at(current().line, fmt::format("expected '{}', got {}", op, describe(current())));
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) fail_at(current().line, fmt::format("expected '{}', got {}", name, describe(current())));
  }
  void expect(TokenKind kind, std::string_view what) {
    if (current().kind != kind) fail_at(current().line, fmt::format("expected {}, got {}", what, describe(current())));
    next();
  }
  std::string expect_any_name() {
    if (current().kind != TokenKind::name)
      fail_at(current().line, fmt::format("expected a name, got {}", describe(current())));
    return next().text;
  }

  // Counts nesting while it lives.
  struct Nested {
    Nested(TokenStream& tokens, int& depth_, int limit) : depth(depth_) {
      if (++depth > limit) {
        --depth;
        tokens.fail_at(tokens.current().line, "nested too deeply");
      }
    }
    ~Nested() { --depth; }
    int& depth;
  };

 private:
  const std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace paro::text::jinja
