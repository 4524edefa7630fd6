// The variables of a frame while they are found out, and the walks over the tree that find them.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "text/jinja/ast.h"

namespace paro::text::jinja {

// Calls `visit` with the direct parts of an expression.
void each_part(Expr& expr, const std::function<void(Expr&)>& visit);

// Branches of an if work on copies, which are then merged.
class Symbols {
 public:
  Symbols(const Symbols* parent, Scope* scope) : parent_(parent), scope_(scope) {}
  void load(const std::string& name);
  void store(const std::string& name);
  int parameter(const std::string& name);  // returns its slot
  void merge(const std::vector<Symbols>& branches);
  std::optional<Place> find(const std::string& name) const;
  Place place(const std::string& name) const;
  bool from_context(const std::string& name) const;
  void finish();  // writes what was found to the scope of the frame

 private:
  Load outer_or(const std::string& name, Load::From otherwise) const;
  int define(const std::string& name, const Load& l);

  const Symbols* parent_;
  Scope* scope_;  // gives each name its slot; shared by the copies
  std::map<std::string, Load> loads_;
  std::set<std::string> stores_;
};

// Finds the names that a frame's statements load and store, in the order in which they stand. Stops at inner frames.
class Finder {
 public:
  explicit Finder(Symbols& symbols) : symbols_(&symbols) {}
  void expr(Expr& e);
  void target(const Target& to, bool parameter);
  void body(Body& statements);

 private:
  void stmt(Stmt& s);
  void if_(IfStmt& s);

  Symbols* symbols_;
};

// Which of some special names a body reads before it stores them; inner frames count.
std::set<std::string> undeclared_names(Body& body, std::set<std::string> names);

}  // namespace paro::text::jinja
