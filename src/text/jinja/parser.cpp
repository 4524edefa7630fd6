#include "text/jinja/parser.h"

#include <algorithm>
#include <set>

#include "text/jinja/lexer.h"
#include "text/jinja/scopes.h"

namespace paro::text::jinja {
namespace {

// CPython refuses what jinja2 compiles from deeper expressions and blocks, too.
constexpr int kMaxExpressionDepth = 150;
constexpr int kMaxBlockDepth = 60;
constexpr int kMaxNesting = 300;  // of the functions below, about three for each pair of parentheses

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

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Body parse() {
    Body body = statements({});
    return body;
  }

 private:
  using Names = std::vector<std::string_view>;

  // --- tokens
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
    Nested(Parser& parser_, int& depth_, int limit) : depth(depth_) {
      if (++depth > limit) {
        --depth;
        parser_.fail_at(parser_.current().line, "nested too deeply");
      }
    }
    ~Nested() { --depth; }
    int& depth;
  };

  // The node with the depth that its parts give it.
  template <typename T>
  ExprPtr done(std::unique_ptr<T> node, std::initializer_list<const Expr*> parts) {
    for (const Expr* part : parts) {
      if (part != nullptr) node->depth = std::max(node->depth, part->depth + 1);
    }
    if (node->depth > kMaxExpressionDepth) fail_at(node->line, "the expression is nested too deeply");
    return node;
  }

  void count_arguments(Expr& node, const Arguments& arguments) {
    const auto count = [&](const ExprPtr& part) {
      if (part) node.depth = std::max(node.depth, part->depth + 1);
    };
    for (const auto& part : arguments.positional) count(part);
    for (const auto& part : arguments.named) count(part.second);
    count(arguments.star);
    count(arguments.double_star);
    if (node.depth > kMaxExpressionDepth) fail_at(node.line, "the expression is nested too deeply");
  }

  // --- statements
  // Up to a block that starts with one of `ends`, whose name becomes current; up to the end of the template when empty.
  Body statements(const Names& ends) {
    const Nested nested(*this, block_depth_, kMaxBlockDepth);
    Body body;
    for (;;) {
      const Token& token = current();
      if (token.kind == TokenKind::end) {
        if (!ends.empty()) fail_at(token.line, fmt::format("unexpected end of template, expected '{}'", ends.back()));
        return body;
      }
      if (token.kind == TokenKind::text) {
        body.push_back(std::make_unique<TextStmt>(token.line, token.text));
        next();
      } else if (token.kind == TokenKind::print_begin) {
        const int line = next().line;
        body.push_back(std::make_unique<PrintStmt>(line, tuple({})));
        expect(TokenKind::print_end, "end of print statement");
      } else {
        expect(TokenKind::block_begin, "a block");
        if (current().kind == TokenKind::name && std::find(ends.begin(), ends.end(), current().text) != ends.end())
          return body;
        statement(body);
        expect(TokenKind::block_end, "end of statement block");
      }
    }
  }

  // The rest of an opening tag, then its body; the closing name stays current.
  Body block(const Names& ends) {
    skip_op(":");
    expect(TokenKind::block_end, "end of statement block");
    return statements(ends);
  }

  Body closed_block(std::string_view end) {
    Body body = block({end});
    next();
    return body;
  }

  void statement(Body& body) {
    if (current().kind != TokenKind::name) fail_at(current().line, "tag name expected");
    const int line = current().line;
    const std::string name = current().text;
    if (name == "if") return body.push_back(if_statement());
    if (name == "for") return body.push_back(for_statement());
    if (name == "set") return body.push_back(set_statement());
    if (name == "macro") return body.push_back(macro_statement());
    if (name == "call") return body.push_back(call_statement());
    if (name == "filter") return body.push_back(filter_statement());
    if (name == "with") return body.push_back(with_statement());
    if (name == "print") return print_statement(body);
    if (name == "generation") {
      next();
      auto node = std::make_unique<ScopeStmt>(line);
      const InFunction in(*this);
      node->body = closed_block("endgeneration");
      return body.push_back(std::move(node));
    }
    if (name == "break" || name == "continue") {
      if (loop_depth_ == 0) fail_at(line, "'" + name + "' outside loop");
      next();
      return body.push_back(std::make_unique<JumpStmt>(name == "break" ? StmtKind::break_ : StmtKind::continue_, line));
    }
    for (const std::string_view known : {"block", "extends", "include", "import", "from", "autoescape"}) {
      if (name == known) fail_at(line, "'" + name + "' is not supported in a chat template");
    }
    fail_at(line, "unknown tag '" + name + "'");
  }

  void print_statement(Body& body) {
    const int line = next().line;
    bool first = true;
    while (current().kind != TokenKind::block_end) {
      if (!first) expect_op(",");
      first = false;
      body.push_back(std::make_unique<PrintStmt>(line, expression()));
    }
  }

  // A loop, or a function in which no loop is open yet.
  struct InLoop {
    explicit InLoop(Parser& parser_) : parser(parser_) { ++parser.loop_depth_; }
    ~InLoop() { --parser.loop_depth_; }
    Parser& parser;
  };
  struct InFunction {
    explicit InFunction(Parser& parser_) : parser(parser_), outer(std::exchange(parser_.loop_depth_, 0)) {}
    ~InFunction() { parser.loop_depth_ = outer; }
    Parser& parser;
    const int outer;
  };

  std::unique_ptr<Stmt> if_statement() {
    auto node = std::make_unique<IfStmt>(next().line);
    for (;;) {
      ExprPtr test = tuple({.conditional = false});
      Body body = block({"elif", "else", "endif"});
      node->branches.emplace_back(std::move(test), std::move(body));
      const Token end = next();
      if (end.text == "elif") continue;
      if (end.text == "else") node->otherwise = closed_block("endif");
      return node;
    }
  }

  std::unique_ptr<Stmt> for_statement() {
    auto node = std::make_unique<ForStmt>(next().line);
    node->target = target({.end = "in"});
    node->test_target = node->target;
    expect_name("in");
    node->items = tuple({.conditional = false, .end = "recursive"});
    if (skip_name("if")) node->test = expression();
    node->recursive = skip_name("recursive");
    {
      const InLoop in(*this);
      node->body = block({"endfor", "else"});
    }
    if (next().text == "else") {
      // The rest of a recursive loop stands in a function of its own.
      if (node->recursive) {
        const InFunction in(*this);
        node->otherwise = closed_block("endfor");
      } else {
        node->otherwise = closed_block("endfor");
      }
    }
    return node;
  }

  std::unique_ptr<Stmt> set_statement() {
    const int line = next().line;
    Target to = target({.attributes = true});
    if (skip_op("=")) {
      auto node = std::make_unique<SetStmt>(line);
      node->target = std::move(to);
      node->value = tuple({});
      return node;
    }
    auto node = std::make_unique<SetBlockStmt>(line);
    node->target = std::move(to);
    if (current().is_op("|")) node->filter = filters(std::make_unique<CapturedExpr>(line));
    node->body = closed_block("endset");
    return node;
  }

  void signature(MacroStmt& macro) {
    expect_op("(");
    while (!current().is_op(")")) {
      if (!macro.parameters.empty()) expect_op(",");
      const int line = current().line;
      const Target parameter = name_target();
      if (std::find(macro.parameters.begin(), macro.parameters.end(), parameter.name) != macro.parameters.end()) {
        fail_at(line, "duplicate argument '" + parameter.name + "'");
      }
      if (skip_op("=")) {
        macro.defaults.push_back(expression());
      } else if (!macro.defaults.empty()) {
        fail_at(line, "non-default argument follows default argument");
      }
      macro.parameters.push_back(parameter.name);
    }
    expect_op(")");
  }

  std::unique_ptr<Stmt> macro_statement() {
    auto node = std::make_unique<MacroStmt>(next().line);
    node->name = name_target().name;
    signature(*node);
    const InFunction in(*this);
    node->body = closed_block("endmacro");
    return node;
  }

  std::unique_ptr<Stmt> call_statement() {
    auto node = std::make_unique<CallBlockStmt>(next().line);
    if (current().is_op("(")) signature(node->macro);
    node->call = expression();
    if (node->call->kind != ExprKind::call) fail_at(node->line, "expected call");
    const InFunction in(*this);
    node->macro.body = closed_block("endcall");
    return node;
  }

  std::unique_ptr<Stmt> filter_statement() {
    auto node = std::make_unique<FilterBlockStmt>(next().line);
    node->filter = one_filter(std::make_unique<CapturedExpr>(node->line));
    node->filter = filters(std::move(node->filter));
    node->body = closed_block("endfilter");
    return node;
  }

  std::unique_ptr<Stmt> with_statement() {
    auto node = std::make_unique<WithStmt>(next().line);
    while (current().kind != TokenKind::block_end) {
      if (!node->targets.empty()) expect_op(",");
      node->targets.push_back(target({}));
      expect_op("=");
      node->values.push_back(expression());
    }
    node->body = closed_block("endwith");
    return node;
  }

  // --- targets
  struct TargetRules {
    bool attributes = false;
    std::string_view end = {};
  };

  Target name_target() {
    Target to;
    to.line = current().line;
    to.name = expect_any_name();
    static constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
    if (std::find(std::begin(kConstants), std::end(kConstants), to.name) != std::end(kConstants)) {
      fail_at(to.line, "can't assign to '" + to.name + "'");
    }
    return to;
  }

  Target target(const TargetRules& rules) {
    const Nested nested(*this, expression_depth_, kMaxNesting);
    const auto at_end = [&] {
      const Token& token = current();
      return token.kind == TokenKind::print_end || token.kind == TokenKind::block_end || token.is_op(")") ||
             (!rules.end.empty() && token.is_name(rules.end));
    };
    Target all;
    all.kind = Target::Kind::tuple;
    all.line = current().line;
    bool is_tuple = false;
    for (;;) {
      if (!all.items.empty()) expect_op(",");
      if (at_end()) break;
      all.items.push_back(target_item(rules));
      if (!current().is_op(",")) break;
      is_tuple = true;
    }
    if (is_tuple) return all;
    if (all.items.empty()) fail_at(all.line, "expected a name to assign to, got " + describe(current()));
    return std::move(all.items.front());
  }

  Target target_item(const TargetRules& rules) {
    if (skip_op("(")) {
      if (current().is_op(")")) {  // () = ()
        Target empty;
        empty.kind = Target::Kind::tuple;
        empty.line = next().line;
        return empty;
      }
      // Inside parentheses, expressions stand: names and tuples of names can be assigned to.
      Target inner = target({});
      expect_op(")");
      return inner;
    }
    Target to = name_target();
    if (rules.attributes && skip_op(".")) {
      to.kind = Target::Kind::attribute;
      to.attribute = expect_any_name();
    }
    return to;
  }

  // --- expressions
  struct TupleRules {
    bool conditional = true;
    std::string_view end = {};
    bool parentheses = false;
  };

  // Expressions with commas between them make a tuple.
  ExprPtr tuple(const TupleRules& rules) {
    const int line = current().line;
    const auto at_end = [&] {
      const Token& token = current();
      return token.kind == TokenKind::print_end || token.kind == TokenKind::block_end || token.is_op(")") ||
             (!rules.end.empty() && token.is_name(rules.end));
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

  ExprPtr expression() {
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

  ExprPtr binary_node(ExprKind kind, int line, ExprPtr left, ExprPtr right, BinaryOp op = BinaryOp::add) {
    const Expr *a = left.get(), *b = right.get();
    return done(std::make_unique<BinaryExpr>(kind, line, std::move(left), std::move(right), op), {a, b});
  }

  ExprPtr unary_node(ExprKind kind, int line, ExprPtr operand) {
    const Expr* a = operand.get();
    return done(std::make_unique<UnaryExpr>(kind, line, std::move(operand)), {a});
  }

  ExprPtr disjunction() {
    ExprPtr left = conjunction();
    while (current().is_name("or")) {
      const int line = next().line;
      left = binary_node(ExprKind::logical_or, line, std::move(left), conjunction());
    }
    return left;
  }

  ExprPtr conjunction() {
    ExprPtr left = negation();
    while (current().is_name("and")) {
      const int line = next().line;
      left = binary_node(ExprKind::logical_and, line, std::move(left), negation());
    }
    return left;
  }

  ExprPtr negation() {
    if (!current().is_name("not")) return comparison();
    const Nested nested(*this, expression_depth_, kMaxNesting);
    const int line = next().line;
    return unary_node(ExprKind::logical_not, line, negation());
  }

  std::optional<CompareOp> compare_op() {
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

  ExprPtr comparison() {
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

  ExprPtr sum() {
    ExprPtr left = concatenation();
    while (current().is_op("+") || current().is_op("-")) {
      const Token op = next();
      left = binary_node(ExprKind::binary, op.line, std::move(left), concatenation(),
                         op.text == "+" ? BinaryOp::add : BinaryOp::subtract);
    }
    return left;
  }

  ExprPtr concatenation() {
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

  ExprPtr product() {
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

  ExprPtr power() {
    ExprPtr left = unary(true);
    while (current().is_op("**")) {
      const int line = next().line;
      left = binary_node(ExprKind::binary, line, std::move(left), unary(true), BinaryOp::power);
    }
    return left;
  }

  ExprPtr unary(bool with_filters) {
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

  ExprPtr primary() {
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

  ExprPtr list(int line) {
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

  ExprPtr dict(int line) {
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

  ExprPtr postfix(ExprPtr node) {
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

  ExprPtr filters_and_tests(ExprPtr node) {
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

  ExprPtr subscript(ExprPtr object) {
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

  // At the first colon.
  ExprPtr slice_node(int line, ExprPtr object, ExprPtr start) {
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

  Arguments arguments() {
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

  ExprPtr call(ExprPtr callee) {
    const Expr* part = callee.get();
    auto node = std::make_unique<CallExpr>(current().line, std::move(callee));
    node->arguments = arguments();
    count_arguments(*node, node->arguments);
    return done(std::move(node), {part});
  }

  std::string dotted_name() {
    std::string name = expect_any_name();
    while (skip_op(".")) name += "." + expect_any_name();
    return name;
  }

  ExprPtr one_filter(ExprPtr input) {
    const Expr* part = input.get();
    const int line = current().line;
    auto node = std::make_unique<BuiltinExpr>(ExprKind::filter, line, std::move(input), dotted_name());
    if (current().is_op("(")) node->arguments = arguments();
    count_arguments(*node, node->arguments);
    return done(std::move(node), {part});
  }

  ExprPtr filters(ExprPtr node) {
    while (skip_op("|")) node = one_filter(std::move(node));
    return node;
  }

  ExprPtr test(ExprPtr input) {
    const Expr* part = input.get();
    const int line = next().line;
    const bool negated = skip_name("not");
    auto node = std::make_unique<BuiltinExpr>(ExprKind::test, line, std::move(input), dotted_name());
    const Token& token = current();
    const bool starts_argument = token.kind == TokenKind::name || token.kind == TokenKind::string ||
                                 token.kind == TokenKind::integer || token.kind == TokenKind::real ||
                                 token.is_op("[") || token.is_op("{");
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

  const std::vector<Token> tokens_;
  size_t at_ = 0;
  int expression_depth_ = 0;
  int block_depth_ = 0;
  int loop_depth_ = 0;
};

}  // namespace

Template parse_template(std::string_view source) {
  Template result;
  result.body = Parser(tokenize(source)).parse();
  bind_names(result);
  return result;
}

}  // namespace paro::text::jinja
