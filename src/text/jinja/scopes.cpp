#include "text/jinja/scopes.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "text/jinja/lexer.h"

namespace paro::text::jinja {
namespace {

// Real templates have a few dozen; branches copy the table.
constexpr size_t kMaxVariables = 1000;

using Visit = std::function<void(Expr&)>;

void each_argument(Arguments& arguments, const Visit& visit) {
  for (auto& part : arguments.positional) visit(*part);
  for (auto& part : arguments.named) visit(*part.second);
  if (arguments.star) visit(*arguments.star);
  if (arguments.double_star) visit(*arguments.double_star);
}

// The direct parts of an expression.
void each_part(Expr& expr, const Visit& visit) {
  const auto optional = [&](ExprPtr& part) {
    if (part) visit(*part);
  };
  switch (expr.kind) {
    case ExprKind::constant:
    case ExprKind::name:
    case ExprKind::captured:
      return;
    case ExprKind::sequence:
      for (auto& item : static_cast<SequenceExpr&>(expr).items) visit(*item);
      return;
    case ExprKind::dict:
      for (auto& [key, value] : static_cast<DictExpr&>(expr).entries) {
        visit(*key);
        visit(*value);
      }
      return;
    case ExprKind::attribute:
      return visit(*static_cast<AttributeExpr&>(expr).object);
    case ExprKind::item:
      visit(*static_cast<ItemExpr&>(expr).object);
      return visit(*static_cast<ItemExpr&>(expr).key);
    case ExprKind::slice: {
      auto& node = static_cast<SliceExpr&>(expr);
      visit(*node.object);
      optional(node.start);
      optional(node.stop);
      return optional(node.step);
    }
    case ExprKind::call:
      visit(*static_cast<CallExpr&>(expr).callee);
      return each_argument(static_cast<CallExpr&>(expr).arguments, visit);
    case ExprKind::filter:
    case ExprKind::test:
      visit(*static_cast<BuiltinExpr&>(expr).input);
      return each_argument(static_cast<BuiltinExpr&>(expr).arguments, visit);
    case ExprKind::negative:
    case ExprKind::positive:
    case ExprKind::logical_not:
      return visit(*static_cast<UnaryExpr&>(expr).operand);
    case ExprKind::logical_and:
    case ExprKind::logical_or:
    case ExprKind::binary:
      visit(*static_cast<BinaryExpr&>(expr).left);
      return visit(*static_cast<BinaryExpr&>(expr).right);
    case ExprKind::concat:
      for (auto& item : static_cast<ConcatExpr&>(expr).items) visit(*item);
      return;
    case ExprKind::compare:
      visit(*static_cast<CompareExpr&>(expr).first);
      for (auto& part : static_cast<CompareExpr&>(expr).rest) visit(*part.second);
      return;
    case ExprKind::conditional: {
      auto& node = static_cast<ConditionalExpr&>(expr);
      visit(*node.test);
      visit(*node.then);
      return optional(node.otherwise);
    }
  }
}

// The variables of one frame while they are found out. Branches of an if work on copies, which are then merged.
class Symbols {
 public:
  Symbols(const Symbols* parent, Scope* scope) : parent_(parent), scope_(scope) {}

  void load(const std::string& name) {
    if (!find(name)) define(name, {Load::From::context, name, {}});
  }

  void store(const std::string& name) {
    stores_.insert(name);
    if (loads_.count(name) == 0) define(name, outer_or(name, Load::From::nothing));
  }

  int parameter(const std::string& name) {
    stores_.insert(name);
    return define(name, {Load::From::parameter, name, {}});
  }

  void merge(const std::vector<Symbols>& branches) {
    std::set<std::string> stored;
    for (const Symbols& branch : branches) stored.insert(branch.stores_.begin(), branch.stores_.end());
    for (const std::string& name : stores_) stored.erase(name);
    for (const Symbols& branch : branches) {
      for (const auto& [name, l] : branch.loads_) loads_[name] = l;
      stores_.insert(branch.stores_.begin(), branch.stores_.end());
    }
    for (const std::string& name : stored) loads_[name] = outer_or(name, Load::From::context);
  }

  std::optional<Place> find(const std::string& name) const {
    int hops = 0;
    for (const Symbols* at = this; at != nullptr; at = at->parent_, ++hops) {
      if (at->loads_.count(name) != 0) return Place{hops, at->scope_->find(name)};
    }
    return std::nullopt;
  }

  Place place(const std::string& name) const {
    if (const auto found = find(name)) return *found;
    fail("the variable '{}' has no frame", name);
  }

  // Writes what was found to the scope of the frame.
  void finish() {
    for (const auto& [name, l] : loads_) scope_->loads[size_t(scope_->find(name))] = l;
  }

  bool from_context(const std::string& name) const {
    for (const Symbols* at = this; at != nullptr; at = at->parent_) {
      const auto found = at->loads_.find(name);
      if (found == at->loads_.end() || found->second.from == Load::From::outer) continue;
      return found->second.from == Load::From::context;
    }
    return false;
  }

 private:
  Load outer_or(const std::string& name, Load::From otherwise) const {
    if (parent_ != nullptr) {
      if (auto outer = parent_->find(name)) {
        ++outer->hops;
        return {Load::From::outer, name, *outer};
      }
    }
    return {otherwise, name, {}};
  }

  int define(const std::string& name, const Load& l) {
    int slot = scope_->find(name);
    if (slot < 0) {
      if (scope_->loads.size() >= kMaxVariables) fail("more than {} variables in one block", kMaxVariables);
      slot = int(scope_->loads.size());
      scope_->loads.push_back(l);
      scope_->slots.emplace(name, slot);
    }
    loads_[name] = l;
    return slot;
  }

  const Symbols* parent_;
  Scope* scope_;  // gives each name its slot; shared by the copies
  std::map<std::string, Load> loads_;
  std::set<std::string> stores_;
};

// Finds the names that a frame's statements load and store, in the order in which they stand. Stops at inner frames.
class Finder {
 public:
  explicit Finder(Symbols& symbols) : symbols_(&symbols) {}

  void expr(Expr& e) {
    if (e.kind == ExprKind::name) symbols_->load(static_cast<NameExpr&>(e).name);
    each_part(e, [this](Expr& part) { expr(part); });
  }

  void target(const Target& to, bool parameter) {
    if (to.kind == Target::Kind::attribute) return symbols_->load(to.name);
    if (to.kind == Target::Kind::tuple) {
      for (const Target& item : to.items) target(item, parameter);
      return;
    }
    if (parameter) {
      symbols_->parameter(to.name);
    } else {
      symbols_->store(to.name);
    }
  }

  void body(Body& statements) {
    for (auto& statement : statements) stmt(*statement);
  }

 private:
  void stmt(Stmt& s) {
    switch (s.kind) {
      case StmtKind::text:
      case StmtKind::scope:
      case StmtKind::break_:
      case StmtKind::continue_:
        return;
      case StmtKind::print:
        return expr(*static_cast<PrintStmt&>(s).value);
      case StmtKind::if_:
        return if_(static_cast<IfStmt&>(s));
      case StmtKind::for_:
        return expr(*static_cast<ForStmt&>(s).items);
      case StmtKind::set:
        expr(*static_cast<SetStmt&>(s).value);
        return target(static_cast<SetStmt&>(s).target, false);
      case StmtKind::set_block:
        return target(static_cast<SetBlockStmt&>(s).target, false);
      case StmtKind::macro:
        return symbols_->store(static_cast<MacroStmt&>(s).name);
      case StmtKind::call_block:
        return expr(*static_cast<CallBlockStmt&>(s).call);
      case StmtKind::filter_block:
        return expr(*static_cast<FilterBlockStmt&>(s).filter);
      case StmtKind::with:
        for (auto& value : static_cast<WithStmt&>(s).values) expr(*value);
        return;
    }
  }

  void if_(IfStmt& s) {
    expr(*s.branches.front().first);
    Symbols* const outer = symbols_;
    std::vector<Symbols> branches(3, *outer);  // the body, all elifs, the else
    symbols_ = &branches[0];
    body(s.branches.front().second);
    // Each elif is an if of its own inside the second branch.
    Symbols& elifs = branches[1];
    for (size_t i = 1; i < s.branches.size(); ++i) {
      symbols_ = &elifs;
      expr(*s.branches[i].first);
      std::vector<Symbols> inner(3, elifs);
      symbols_ = &inner[0];
      body(s.branches[i].second);
      elifs.merge(inner);
    }
    symbols_ = &branches[2];
    body(s.otherwise);
    symbols_ = outer;
    outer->merge(branches);
  }

  Symbols* symbols_;
};

// Which of some special names a body reads before it stores them; inner frames count.
class UndeclaredNames {
 public:
  explicit UndeclaredNames(std::set<std::string> names) : names_(std::move(names)) {}
  std::set<std::string> in(Body& statements) {
    body(statements);
    return found_;
  }

 private:
  void expr(Expr* e) {
    if (e == nullptr) return;
    if (e->kind == ExprKind::name && names_.count(static_cast<NameExpr&>(*e).name) != 0) {
      found_.insert(static_cast<NameExpr&>(*e).name);
    }
    each_part(*e, [this](Expr& part) { expr(&part); });
  }

  void target(const Target& to) {
    if (to.kind == Target::Kind::name) names_.erase(to.name);
    for (const Target& item : to.items) target(item);
  }

  void macro(MacroStmt& s) {
    for (const std::string& name : s.parameters) names_.erase(name);
    for (auto& value : s.defaults) expr(value.get());
    body(s.body);
  }

  void body(Body& statements) {
    for (auto& statement : statements) stmt(*statement);
  }

  void stmt(Stmt& s) {
    switch (s.kind) {
      case StmtKind::text:
      case StmtKind::break_:
      case StmtKind::continue_:
        return;
      case StmtKind::scope:
        return body(static_cast<ScopeStmt&>(s).body);
      case StmtKind::print:
        return expr(static_cast<PrintStmt&>(s).value.get());
      case StmtKind::if_:
        for (auto& [test, branch] : static_cast<IfStmt&>(s).branches) {
          expr(test.get());
          body(branch);
        }
        return body(static_cast<IfStmt&>(s).otherwise);
      case StmtKind::for_: {
        auto& node = static_cast<ForStmt&>(s);
        target(node.target);
        expr(node.items.get());
        body(node.body);
        body(node.otherwise);
        return expr(node.test.get());
      }
      case StmtKind::set:
        target(static_cast<SetStmt&>(s).target);
        return expr(static_cast<SetStmt&>(s).value.get());
      case StmtKind::set_block:
        target(static_cast<SetBlockStmt&>(s).target);
        expr(static_cast<SetBlockStmt&>(s).filter.get());
        return body(static_cast<SetBlockStmt&>(s).body);
      case StmtKind::macro:
        return macro(static_cast<MacroStmt&>(s));
      case StmtKind::call_block:
        expr(static_cast<CallBlockStmt&>(s).call.get());
        return macro(static_cast<CallBlockStmt&>(s).macro);
      case StmtKind::filter_block:
        body(static_cast<FilterBlockStmt&>(s).body);
        return expr(static_cast<FilterBlockStmt&>(s).filter.get());
      case StmtKind::with: {
        auto& node = static_cast<WithStmt&>(s);
        for (const Target& to : node.targets) target(to);
        for (auto& value : node.values) expr(value.get());
        return body(node.body);
      }
    }
  }

  std::set<std::string> names_, found_;
};

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
    std::set<std::string> special = UndeclaredNames({"caller", "kwargs", "varargs"}).in(s.body);
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
    s.uses_loop = s.recursive || !UndeclaredNames({"loop"}).in(s.body).empty();
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
