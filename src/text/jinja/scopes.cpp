#include "text/jinja/scopes.h"

#include <algorithm>
#include <set>

#include "text/jinja/lexer.h"
#include "text/jinja/symbols.h"

namespace paro::text::jinja {
namespace {

// Gives places to names, frame by frame from the outside in.
class Binder {
 public:
  void bind(Template& tree) {
    Symbols symbols(nullptr, &tree.scope);
    Finder(symbols).body(tree.body);
    symbols.finish();
    body(tree.body, symbols);
    tree.context_names.assign(context_names_.begin(), context_names_.end());
  }

 private:
  // Filters and tests that do not exist are errors at once, except below an if, where they must be reached.
  void expr(Expr* e, const Symbols& symbols, bool in_if) {
    if (e == nullptr) return;
    if (e->kind == ExprKind::name) {
      auto& node = static_cast<NameExpr&>(*e);
      node.place = symbols.place(node.name);
      if (symbols.from_context(node.name)) context_names_.insert(node.name);
    } else if (e->kind == ExprKind::filter || e->kind == ExprKind::test) {
      auto& node = static_cast<BuiltinExpr&>(*e);
      const bool filter = e->kind == ExprKind::filter;
      node.function = filter ? find_filter(node.name) : find_test(node.name);
      if (node.function == nullptr && !in_if) {
        throw SyntaxError(e->line, fmt::format("No {} named '{}'.", filter ? "filter" : "test", node.name));
      }
    } else if (e->kind == ExprKind::conditional) {
      in_if = true;
    }
    each_part(*e, [&](Expr& part) { expr(&part, symbols, in_if); });
  }

  void target(Target& to, const Symbols& symbols) {
    if (to.kind == Target::Kind::tuple) {
      for (Target& item : to.items) target(item, symbols);
      return;
    }
    to.place = symbols.place(to.name);
  }

  // No frame inside a loop may store the variable `loop`.
  void refuse_loop(const Target& to) const {
    if (loops_ > 0 && to.kind == Target::Kind::name && to.name == "loop") {
      throw SyntaxError(to.line, "Can't assign to special loop variable in for-loop target");
    }
    for (const Target& item : to.items) refuse_loop(item);
  }

  void macro(MacroStmt& s, const Symbols& outer) {
    std::set<std::string> special = undeclared_names(s.body, {"caller", "kwargs", "varargs"});
    const auto is_parameter = [&](std::string_view name) {
      return std::find(s.parameters.begin(), s.parameters.end(), name) != s.parameters.end();
    };
    Symbols symbols(&outer, &s.scope);
    for (const std::string& name : s.parameters) symbols.parameter(name);
    if (special.count("caller") != 0) {
      if (!is_parameter("caller")) {
        s.caller_slot = symbols.parameter("caller");
      } else if (size_t(std::find(s.parameters.begin(), s.parameters.end(), "caller") - s.parameters.begin()) <
                 s.parameters.size() - s.defaults.size()) {
        throw SyntaxError(s.line, "the special \"caller\" argument must be omitted or be given a default");
      } else {
        s.caller_slot = s.scope.find("caller");
      }
    }
    if (special.count("kwargs") != 0 && !is_parameter("kwargs")) s.kwargs_slot = symbols.parameter("kwargs");
    if (special.count("varargs") != 0 && !is_parameter("varargs")) s.varargs_slot = symbols.parameter("varargs");
    Finder finder(symbols);
    for (auto& value : s.defaults) finder.expr(*value);
    finder.body(s.body);
    symbols.finish();
    for (auto& value : s.defaults) expr(value.get(), symbols, false);
    body(s.body, symbols);
  }

  void for_(ForStmt& s, const Symbols& outer, bool in_if) {
    ++loops_;
    refuse_loop(s.target);
    expr(s.items.get(), outer, in_if);
    s.uses_loop = s.recursive || !undeclared_names(s.body, {"loop"}).empty();
    Symbols inner(&outer, &s.scope);
    if (s.uses_loop) s.loop_slot = inner.parameter("loop");
    Finder finder(inner);
    finder.target(s.target, true);
    finder.body(s.body);
    inner.finish();
    if (s.test) {
      Symbols test(&outer, &s.test_scope);
      Finder test_finder(test);
      test_finder.target(s.target, true);
      test_finder.expr(*s.test);
      test.finish();
      target(s.test_target, test);
      expr(s.test.get(), test, false);
    }
    target(s.target, inner);
    body(s.body, inner);
    Symbols otherwise(&outer, &s.else_scope);
    Finder(otherwise).body(s.otherwise);
    otherwise.finish();
    body(s.otherwise, otherwise);
    --loops_;
  }

  void body(Body& statements, const Symbols& symbols, bool in_if = false) {
    for (auto& statement : statements) stmt(*statement, symbols, in_if);
  }

  void stmt(Stmt& s, const Symbols& symbols, bool in_if) {
    switch (s.kind) {
      case StmtKind::text:
      case StmtKind::break_:
      case StmtKind::continue_:
        return;
      case StmtKind::print:
        return expr(static_cast<PrintStmt&>(s).value.get(), symbols, in_if);
      case StmtKind::if_:
        for (auto& [test, branch] : static_cast<IfStmt&>(s).branches) {
          expr(test.get(), symbols, true);
          body(branch, symbols, true);
        }
        return body(static_cast<IfStmt&>(s).otherwise, symbols, true);
      case StmtKind::for_:
        return for_(static_cast<ForStmt&>(s), symbols, in_if);
      case StmtKind::set:
        refuse_loop(static_cast<SetStmt&>(s).target);
        target(static_cast<SetStmt&>(s).target, symbols);
        return expr(static_cast<SetStmt&>(s).value.get(), symbols, in_if);
      case StmtKind::set_block: {
        auto& node = static_cast<SetBlockStmt&>(s);
        refuse_loop(node.target);
        target(node.target, symbols);
        // The filter's arguments are read in the frame of the block, which may lack their names.
        Symbols inner(&symbols, &node.scope);
        Finder finder(inner);
        finder.body(node.body);
        if (node.filter) finder.expr(*node.filter);
        inner.finish();
        body(node.body, inner);
        return expr(node.filter.get(), inner, false);
      }
      case StmtKind::macro: {
        auto& node = static_cast<MacroStmt&>(s);
        if (loops_ > 0 && node.name == "loop") throw SyntaxError(s.line, "a macro cannot be named 'loop' in a loop");
        node.place = symbols.place(node.name);
        return macro(node, symbols);
      }
      case StmtKind::call_block:
        expr(static_cast<CallBlockStmt&>(s).call.get(), symbols, in_if);
        return macro(static_cast<CallBlockStmt&>(s).macro, symbols);
      case StmtKind::filter_block: {
        auto& node = static_cast<FilterBlockStmt&>(s);
        Symbols inner(&symbols, &node.scope);
        Finder finder(inner);
        finder.body(node.body);
        finder.expr(*node.filter);
        inner.finish();
        body(node.body, inner);
        return expr(node.filter.get(), inner, false);
      }
      case StmtKind::with: {
        auto& node = static_cast<WithStmt&>(s);
        for (auto& value : node.values) expr(value.get(), symbols, in_if);
        Symbols inner(&symbols, &node.scope);
        Finder finder(inner);
        for (const Target& to : node.targets) finder.target(to, true);
        finder.body(node.body);
        inner.finish();
        for (Target& to : node.targets) target(to, inner);
        return body(node.body, inner);
      }
      case StmtKind::scope: {
        auto& node = static_cast<ScopeStmt&>(s);
        Symbols inner(&symbols, &node.scope);
        Finder(inner).body(node.body);
        inner.finish();
        return body(node.body, inner);
      }
    }
  }

  std::set<std::string> context_names_;
  int loops_ = 0;
};

}  // namespace

void bind_names(Template& tree) { Binder().bind(tree); }

}  // namespace paro::text::jinja
