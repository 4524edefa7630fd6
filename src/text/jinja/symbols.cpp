#include "text/jinja/symbols.h"

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

}  // namespace

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

void Symbols::load(const std::string& name) {
  if (!find(name)) define(name, {Load::From::context, name, {}});
}

void Symbols::store(const std::string& name) {
  stores_.insert(name);
  if (loads_.count(name) == 0) define(name, outer_or(name, Load::From::nothing));
}

int Symbols::parameter(const std::string& name) {
  stores_.insert(name);
  return define(name, {Load::From::parameter, name, {}});
}

void Symbols::merge(const std::vector<Symbols>& branches) {
  std::set<std::string> stored;
  for (const Symbols& branch : branches) stored.insert(branch.stores_.begin(), branch.stores_.end());
  for (const std::string& name : stores_) stored.erase(name);
  for (const Symbols& branch : branches) {
    for (const auto& [name, l] : branch.loads_) loads_[name] = l;
    stores_.insert(branch.stores_.begin(), branch.stores_.end());
  }
  for (const std::string& name : stored) loads_[name] = outer_or(name, Load::From::context);
}

std::optional<Place> Symbols::find(const std::string& name) const {
  int hops = 0;
  for (const Symbols* at = this; at != nullptr; at = at->parent_, ++hops) {
    if (at->loads_.count(name) != 0) return Place{hops, at->scope_->find(name)};
  }
  return std::nullopt;
}

Place Symbols::place(const std::string& name) const {
  if (const auto found = find(name)) return *found;
  fail("the variable '{}' has no frame", name);
}

void Symbols::finish() {
  for (const auto& [name, l] : loads_) scope_->loads[size_t(scope_->find(name))] = l;
}

bool Symbols::from_context(const std::string& name) const {
  for (const Symbols* at = this; at != nullptr; at = at->parent_) {
    const auto found = at->loads_.find(name);
    if (found == at->loads_.end() || found->second.from == Load::From::outer) continue;
    return found->second.from == Load::From::context;
  }
  return false;
}

Load Symbols::outer_or(const std::string& name, Load::From otherwise) const {
  if (parent_ != nullptr) {
    if (auto outer = parent_->find(name)) {
      ++outer->hops;
      return {Load::From::outer, name, *outer};
    }
  }
  return {otherwise, name, {}};
}

int Symbols::define(const std::string& name, const Load& l) {
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

void Finder::expr(Expr& e) {
  if (e.kind == ExprKind::name) symbols_->load(static_cast<NameExpr&>(e).name);
  each_part(e, [this](Expr& part) { expr(part); });
}

void Finder::target(const Target& to, bool parameter) {
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

void Finder::body(Body& statements) {
  for (auto& statement : statements) stmt(*statement);
}

void Finder::stmt(Stmt& s) {
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

void Finder::if_(IfStmt& s) {
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

std::set<std::string> undeclared_names(Body& body, std::set<std::string> names) {
  return UndeclaredNames(std::move(names)).in(body);
}

}  // namespace paro::text::jinja
