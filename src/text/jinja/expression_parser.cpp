#include "text/jinja/expression_parser.h"

#include <algorithm>

namespace paro::text::jinja {

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::text:
      return "template text";
    case TokenKind::block_begin:
      return "begin of statement block";
    case TokenKind::block_end:
      return "end of statement block";
    case TokenKind::print_begin:
      return "begin of print statement";
    case TokenKind::print_end:
      return "end of print statement";
    case TokenKind::string:
      return "string";
    case TokenKind::end:
      return "end of template";
    default:
      return "'" + token.text + "'";
  }
}

void ExpressionParser::count_arguments(Expr& node, const Arguments& arguments) {
  const auto count = [&](const ExprPtr& part) {
    if (part) node.depth = std::max(node.depth, part->depth + 1);
  };
  for (const auto& part : arguments.positional) count(part);
  for (const auto& part : arguments.named) count(part.second);
  count(arguments.star);
  count(arguments.double_star);
  if (node.depth > kMaxExpressionDepth) fail_at(node.line, "the expression is nested too deeply");
}

ExprPtr ExpressionParser::tuple(const TupleRules& rules) {
  const int line = current().line;
  const auto at_end = [&] {
    const Token& token = current();
    return token.kind == TokenKind::print_end || token.kind == TokenKind::block_end || token.is_op(")");
  };
  auto node = std::make_unique<SequenceExpr>(line, true);
  bool is_tuple = false;
  for (;;) {
    if (!node->items.empty()) expect_op(",");
    if (at_end()) break;
    node->items.push_back(rules.conditional ? expression() : disjunction());
    node->depth = std::max(node->depth, node->items.back()->depth + 1);
    if (!current().is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!node->items.empty()) return std::move(node->items.front());
    if (!rules.parentheses) fail_at(line, "Expected an expression, got " + describe(current()));
  }
  return done(std::move(node), {});
}

ExprPtr ExpressionParser::expression() {
  const Nested nested(*this, expression_depth_, kMaxNesting);
  ExprPtr left = disjunction();
  while (current().is_name("if")) {
    auto node = std::make_unique<ConditionalExpr>(next().line);
    node->test = disjunction();
    if (skip_name("else")) node->otherwise = expression();
    node->then = std::move(left);
    const Expr *test = node->test.get(), *then = node->then.get(), *otherwise = node->otherwise.get();
    left = done(std::move(node), {test, then, otherwise});
  }
  return left;
}

ExprPtr ExpressionParser::binary_node(ExprKind kind, int line, ExprPtr left, ExprPtr right, BinaryOp op) {
  const Expr *a = left.get(), *b = right.get();
  return done(std::make_unique<BinaryExpr>(kind, line, std::move(left), std::move(right), op), {a, b});
}

ExprPtr ExpressionParser::unary_node(ExprKind kind, int line, ExprPtr operand) {
  const Expr* a = operand.get();
  return done(std::make_unique<UnaryExpr>(kind, line, std::move(operand)), {a});
}

ExprPtr ExpressionParser::disjunction() {
  ExprPtr left = conjunction();
  while (current().is_name("or")) {
    const int line = next().line;
    left = binary_node(ExprKind::logical_or, line, std::move(left), conjunction());
  }
  return left;
}

ExprPtr ExpressionParser::conjunction() {
  ExprPtr left = negation();
  while (current().is_name("and")) {
    const int line = next().line;
    left = binary_node(ExprKind::logical_and, line, std::move(left), negation());
  }
  return left;
}

ExprPtr ExpressionParser::negation() {
  if (!current().is_name("not")) return comparison();
  const Nested nested(*this, expression_depth_, kMaxNesting);
  const int line = next().line;
  return unary_node(ExprKind::logical_not, line, negation());
}

std::optional<CompareOp> ExpressionParser::compare_op() {
  static constexpr std::pair<std::string_view, CompareOp> kOps[] = {
      {"==", CompareOp::equal},      {"!=", CompareOp::not_equal}, {"<", CompareOp::less},
      {"<=", CompareOp::less_equal}, {">", CompareOp::greater},    {">=", CompareOp::greater_equal},
  };
  for (const auto& [text, op] : kOps) {
    if (skip_op(text)) return op;
  }
  if (skip_name("in")) return CompareOp::in;
  if (current().is_name("not") && ahead().is_name("in")) {
    next();
    next();
    return CompareOp::not_in;
  }
  return std::nullopt;
}

ExprPtr ExpressionParser::comparison() {
  const int line = current().line;
  ExprPtr first = sum();
  std::optional<CompareOp> op = compare_op();
  if (!op) return first;
  auto node = std::make_unique<CompareExpr>(line, std::move(first));
  node->depth = node->first->depth + 1;
  for (; op; op = compare_op()) {
    node->rest.emplace_back(*op, sum());
    node->depth = std::max(node->depth, node->rest.back().second->depth + 1);
  }
  return done(std::move(node), {});
}

ExprPtr ExpressionParser::sum() {
  ExprPtr left = concatenation();
  while (current().is_op("+") || current().is_op("-")) {
    const Token op = next();
    left = binary_node(ExprKind::binary, op.line, std::move(left), concatenation(),
                       op.text == "+" ? BinaryOp::add : BinaryOp::subtract);
  }
  return left;
}

ExprPtr ExpressionParser::concatenation() {
  ExprPtr first = product();
  if (!current().is_op("~")) return first;
  auto node = std::make_unique<ConcatExpr>(current().line);
  node->depth = first->depth + 1;
  node->items.push_back(std::move(first));
  while (skip_op("~")) {
    node->items.push_back(product());
    node->depth = std::max(node->depth, node->items.back()->depth + 1);
  }
  return done(std::move(node), {});
}

ExprPtr ExpressionParser::product() {
  ExprPtr left = power();
  for (;;) {
    const Token& token = current();
    BinaryOp op = BinaryOp::multiply;
    if (token.is_op("/")) {
      op = BinaryOp::divide;
    } else if (token.is_op("//")) {
      op = BinaryOp::floor_divide;
    } else if (token.is_op("%")) {
      op = BinaryOp::modulo;
    } else if (!token.is_op("*")) {
      return left;
    }
    const int line = next().line;
    left = binary_node(ExprKind::binary, line, std::move(left), power(), op);
  }
}

ExprPtr ExpressionParser::power() {
  ExprPtr left = unary(true);
  while (current().is_op("**")) {
    const int line = next().line;
    left = binary_node(ExprKind::binary, line, std::move(left), unary(true), BinaryOp::power);
  }
  return left;
}

ExprPtr ExpressionParser::unary(bool with_filters) {
  const Nested nested(*this, expression_depth_, kMaxNesting);
  ExprPtr node;
  if (current().is_op("-") || current().is_op("+")) {
    const Token op = next();
    node = unary_node(op.text == "-" ? ExprKind::negative : ExprKind::positive, op.line, unary(false));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filters ? filters_and_tests(std::move(node)) : std::move(node);
}

ExprPtr ExpressionParser::primary() {
  const Token token = next();
  switch (token.kind) {
    case TokenKind::name:
      if (token.text == "true" || token.text == "True")
        return std::make_unique<ConstantExpr>(token.line, Value::boolean(true));
      if (token.text == "false" || token.text == "False")
        return std::make_unique<ConstantExpr>(token.line, Value::boolean(false));
      if (token.text == "none" || token.text == "None") return std::make_unique<ConstantExpr>(token.line, Value());
      return std::make_unique<NameExpr>(token.line, token.text);
    case TokenKind::string: {
      std::string text = token.text;
      while (current().kind == TokenKind::string) text += next().text;
      return std::make_unique<ConstantExpr>(token.line, Value::constant(std::move(text)));
    }
    case TokenKind::integer:
    case TokenKind::real:
      return std::make_unique<ConstantExpr>(token.line, token.number);
    case TokenKind::op:
      if (token.text == "(") {
        const Nested nested(*this, expression_depth_, kMaxNesting);
        ExprPtr inner = tuple({.parentheses = true});
        expect_op(")");
        return inner;
      }
      if (token.text == "[") return list(token.line);
      if (token.text == "{") return dict(token.line);
      [[fallthrough]];
    default:
      fail_at(token.line, "unexpected " + describe(token));
  }
}

ExprPtr ExpressionParser::list(int line) {
  auto node = std::make_unique<SequenceExpr>(line, false);
  while (!current().is_op("]")) {
    if (!node->items.empty()) expect_op(",");
    if (current().is_op("]")) break;
    node->items.push_back(expression());
    node->depth = std::max(node->depth, node->items.back()->depth + 1);
  }
  expect_op("]");
  return done(std::move(node), {});
}

ExprPtr ExpressionParser::dict(int line) {
  auto node = std::make_unique<DictExpr>(line);
  while (!current().is_op("}")) {
    if (!node->entries.empty()) expect_op(",");
    if (current().is_op("}")) break;
    ExprPtr key = expression();
    expect_op(":");
    ExprPtr value = expression();
    node->depth = std::max({node->depth, key->depth + 1, value->depth + 1});
    node->entries.emplace_back(std::move(key), std::move(value));
  }
  expect_op("}");
  return done(std::move(node), {});
}

ExprPtr ExpressionParser::postfix(ExprPtr node) {
  for (;;) {
    if (current().is_op(".") || current().is_op("[")) {
      node = subscript(std::move(node));
    } else if (current().is_op("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr ExpressionParser::filters_and_tests(ExprPtr node) {
  for (;;) {
    if (current().is_op("|")) {
      node = filters(std::move(node));
    } else if (current().is_name("is")) {
      node = test(std::move(node));
    } else if (current().is_op("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr ExpressionParser::subscript(ExprPtr object) {
  const Expr* part = object.get();
  const Token op = next();
  if (op.text == ".") {
    const Token key = next();
    if (key.kind == TokenKind::name) {
      return done(std::make_unique<AttributeExpr>(op.line, std::move(object), key.text), {part});
    }
    if (key.kind != TokenKind::integer) fail_at(key.line, "expected name or number");
    ExprPtr index = std::make_unique<ConstantExpr>(key.line, key.number);
    return done(std::make_unique<ItemExpr>(op.line, std::move(object), std::move(index)), {part});
  }
  auto keys = std::make_unique<SequenceExpr>(op.line, true);
  ExprPtr sliced;
  while (!current().is_op("]")) {
    if (!keys->items.empty() || sliced) {
      if (sliced) fail_at(op.line, "a slice cannot be part of a tuple");
      expect_op(",");
    }
    if (current().is_op(":")) {
      if (!keys->items.empty()) fail_at(op.line, "a slice cannot be part of a tuple");
      sliced = slice_node(op.line, std::move(object), nullptr);
      continue;
    }
    ExprPtr key = expression();
    if (current().is_op(":")) {
      if (!keys->items.empty()) fail_at(op.line, "a slice cannot be part of a tuple");
      sliced = slice_node(op.line, std::move(object), std::move(key));
      continue;
    }
    keys->depth = std::max(keys->depth, key->depth + 1);
    keys->items.push_back(std::move(key));
  }
  expect_op("]");
  if (sliced) return sliced;
  ExprPtr key = keys->items.size() == 1 ? std::move(keys->items.front()) : done(std::move(keys), {});
  const Expr* key_part = key.get();
  return done(std::make_unique<ItemExpr>(op.line, std::move(object), std::move(key)), {part, key_part});
}

ExprPtr ExpressionParser::slice_node(int line, ExprPtr object, ExprPtr start) {
  auto node = std::make_unique<SliceExpr>(line);
  node->object = std::move(object);
  node->start = std::move(start);
  const auto at_end = [&] { return current().is_op("]") || current().is_op(",") || current().is_op(":"); };
  expect_op(":");
  if (!at_end()) node->stop = expression();
  if (skip_op(":") && !at_end()) node->step = expression();
  const Expr *a = node->object.get(), *b = node->start.get(), *c = node->stop.get(), *d = node->step.get();
  return done(std::move(node), {a, b, c, d});
}

Arguments ExpressionParser::arguments() {
  const int line = current().line;
  const Nested nested(*this, expression_depth_, kMaxNesting);
  expect_op("(");
  Arguments out;
  bool comma = false;
  const auto ensure = [&](bool valid) {
    if (!valid) fail_at(line, "invalid syntax for function call expression");
  };
  while (!current().is_op(")")) {
    if (comma) {
      expect_op(",");
      if (current().is_op(")")) break;
    }
    comma = true;
    if (skip_op("*")) {
      ensure(!out.star && !out.double_star);
      out.star = expression();
    } else if (skip_op("**")) {
      ensure(!out.double_star);
      out.double_star = expression();
    } else if (current().kind == TokenKind::name && ahead().is_op("=")) {
      ensure(!out.double_star);
      const std::string name = next().text;
      next();
      for (const auto& given : out.named) {
        if (given.first == name) fail_at(line, "keyword argument repeated: " + name);
      }
      out.named.emplace_back(name, expression());
    } else {
      ensure(!out.star && !out.double_star && out.named.empty());
      out.positional.push_back(expression());
    }
  }
  expect_op(")");
  return out;
}

ExprPtr ExpressionParser::call(ExprPtr callee) {
  const Expr* part = callee.get();
  auto node = std::make_unique<CallExpr>(current().line, std::move(callee));
  node->arguments = arguments();
  count_arguments(*node, node->arguments);
  return done(std::move(node), {part});
}

std::string ExpressionParser::dotted_name() {
  std::string name = expect_any_name();
  while (skip_op(".")) name += "." + expect_any_name();
  return name;
}

ExprPtr ExpressionParser::one_filter(ExprPtr input) {
  const Expr* part = input.get();
  const int line = current().line;
  auto node = std::make_unique<BuiltinExpr>(ExprKind::filter, line, std::move(input), dotted_name());
  if (current().is_op("(")) node->arguments = arguments();
  count_arguments(*node, node->arguments);
  return done(std::move(node), {part});
}

ExprPtr ExpressionParser::filters(ExprPtr node) {
  while (skip_op("|")) node = one_filter(std::move(node));
  return node;
}

ExprPtr ExpressionParser::test(ExprPtr input) {
  const Expr* part = input.get();
  const int line = next().line;
  const bool negated = skip_name("not");
  auto node = std::make_unique<BuiltinExpr>(ExprKind::test, line, std::move(input), dotted_name());
  const Token& token = current();
  const bool starts_argument = token.kind == TokenKind::name || token.kind == TokenKind::string ||
                               token.kind == TokenKind::integer || token.kind == TokenKind::real || token.is_op("[") ||
                               token.is_op("{");
  if (token.is_op("(")) {
    node->arguments = arguments();
  } else if (starts_argument && !token.is_name("else") && !token.is_name("or") && !token.is_name("and")) {
    if (token.is_name("is")) fail_at(token.line, "You cannot chain multiple tests with is");
    ExprPtr argument = primary();
    node->arguments.positional.push_back(postfix(std::move(argument)));
  }
  count_arguments(*node, node->arguments);
  ExprPtr result = done(std::move(node), {part});
  return negated ? unary_node(ExprKind::logical_not, line, std::move(result)) : std::move(result);
}

}  // namespace paro::text::jinja
