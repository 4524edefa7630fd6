#include "text/jinja/parser.h"

#include <algorithm>

#include "text/jinja/expression_parser.h"
#include "text/jinja/lexer.h"
#include "text/jinja/scopes.h"

namespace paro::text::jinja {
namespace {

// CPython refuses deeper blocks, too.
constexpr int kMaxBlockDepth = 60;

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Body parse() { return statements({}); }

 private:
  using Names = std::vector<std::string_view>;

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
    node->target = target({});
    node->test_target = node->target;
    expect_name("in");
    node->items = tuple({.conditional = false});
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

  struct TargetRules {
    bool attributes = false;
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
      return token.kind == TokenKind::print_end || token.kind == TokenKind::block_end || token.is_op(")");
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
