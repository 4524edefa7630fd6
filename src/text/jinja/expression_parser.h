// Expressions by the precedences of jinja2.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "text/jinja/ast.h"
#include "text/jinja/token_stream.h"

namespace paro::text::jinja {

// CPython refuses what jinja2 compiles from deeper expressions, too.
inline constexpr int kMaxExpressionDepth = 150;
inline constexpr int kMaxNesting = 300;  // of the functions below, about three for each pair of parentheses

class ExpressionParser : public TokenStream {
 public:
  using TokenStream::TokenStream;

 protected:
  struct TupleRules {
    bool conditional = true;
    bool parentheses = false;
  };
  // Expressions with commas between them make a tuple.
  ExprPtr tuple(const TupleRules& rules);
  ExprPtr expression();
  ExprPtr one_filter(ExprPtr input);
  ExprPtr filters(ExprPtr node);

  int expression_depth_ = 0;

 private:
  // The node with the depth that its parts give it.
  template <typename T>
  ExprPtr done(std::unique_ptr<T> node, std::initializer_list<const Expr*> parts) {
    for (const Expr* part : parts) {
      if (part != nullptr) node->depth = std::max(node->depth, part->depth + 1);
    }
    if (node->depth > kMaxExpressionDepth) fail_at(node->line, "the expression is nested too deeply");
    return node;
  }

  void count_arguments(Expr& node, const Arguments& arguments);
  ExprPtr binary_node(ExprKind kind, int line, ExprPtr left, ExprPtr right, BinaryOp op = BinaryOp::add);
  ExprPtr unary_node(ExprKind kind, int line, ExprPtr operand);
  ExprPtr disjunction();
  ExprPtr conjunction();
  ExprPtr negation();
  std::optional<CompareOp> compare_op();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concatenation();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filters);
  ExprPtr primary();
  ExprPtr list(int line);
  ExprPtr dict(int line);
  ExprPtr postfix(ExprPtr node);
  ExprPtr filters_and_tests(ExprPtr node);
  ExprPtr subscript(ExprPtr object);
  // At the first colon.
  ExprPtr slice_node(int line, ExprPtr object, ExprPtr start);
  Arguments arguments();
  ExprPtr call(ExprPtr callee);
  std::string dotted_name();
  ExprPtr test(ExprPtr input);
};

}  // namespace paro::text::jinja
