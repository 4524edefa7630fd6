// The syntax tree. Names are bound to variables of frames by scopes.h after parsing.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/jinja/operations.h"
#include "text/jinja/value.h"

namespace paro::text::jinja {

// Where a variable lives: `hops` frames outwards, place `slot`.
struct Place {
  int hops = 0;
  int slot = -1;
};

// How a frame's variables are filled when it is entered.
struct Load {
  enum class From { parameter, context, outer, nothing };
  From from = From::nothing;
  std::string name;
  Place outer;
};

// The variables of one frame.
struct Scope {
  std::vector<Load> loads;
  std::unordered_map<std::string, int> slots;  // name -> place in loads
  int find(const std::string& name) const {
    const auto found = slots.find(name);
    return found != slots.end() ? found->second : -1;
  }
};

enum class ExprKind {
  constant,
  name,
  sequence,
  dict,
  attribute,
  item,
  slice,
  call,
  filter,
  test,
  captured,
  negative,
  positive,
  logical_not,
  logical_and,
  logical_or,
  binary,
  concat,
  compare,
  conditional
};

struct Expr {
  Expr(ExprKind kind_, int line_) : kind(kind_), line(line_) {}
  virtual ~Expr() = default;
  const ExprKind kind;
  const int line;
  int depth = 1;  // of the tree below
};
using ExprPtr = std::unique_ptr<Expr>;

struct Arguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star, double_star;
};

struct ConstantExpr : Expr {
  ConstantExpr(int line_, Value value_) : Expr(ExprKind::constant, line_), value(std::move(value_)) {}
  const Value value;
};
struct NameExpr : Expr {
  NameExpr(int line_, std::string name_) : Expr(ExprKind::name, line_), name(std::move(name_)) {}
  const std::string name;
  Place place;
};
struct SequenceExpr : Expr {
  SequenceExpr(int line_, bool is_tuple_) : Expr(ExprKind::sequence, line_), is_tuple(is_tuple_) {}
  const bool is_tuple;
  std::vector<ExprPtr> items;
};
struct DictExpr : Expr {
  explicit DictExpr(int line_) : Expr(ExprKind::dict, line_) {}
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};
struct AttributeExpr : Expr {
  AttributeExpr(int line_, ExprPtr object_, std::string name_)
      : Expr(ExprKind::attribute, line_), object(std::move(object_)), name(std::move(name_)) {}
  ExprPtr object;
  const std::string name;
};
struct ItemExpr : Expr {
  ItemExpr(int line_, ExprPtr object_, ExprPtr key_)
      : Expr(ExprKind::item, line_), object(std::move(object_)), key(std::move(key_)) {}
  ExprPtr object, key;
};
struct SliceExpr : Expr {
  explicit SliceExpr(int line_) : Expr(ExprKind::slice, line_) {}
  ExprPtr object, start, stop, step;  // absent bounds are null
};
struct CallExpr : Expr {
  CallExpr(int line_, ExprPtr callee_) : Expr(ExprKind::call, line_), callee(std::move(callee_)) {}
  ExprPtr callee;
  Arguments arguments;
};
// input | name(arguments), and input is name(arguments). The input of the filter of a block is a CapturedExpr.
struct BuiltinExpr : Expr {
  BuiltinExpr(ExprKind kind_, int line_, ExprPtr input_, std::string name_)
      : Expr(kind_, line_), input(std::move(input_)), name(std::move(name_)) {}
  ExprPtr input;
  const std::string name;
  Arguments arguments;
  Builtin function = nullptr;  // null: unknown, which is an error when reached
};
struct CapturedExpr : Expr {
  explicit CapturedExpr(int line_) : Expr(ExprKind::captured, line_) {}
};
struct UnaryExpr : Expr {
  UnaryExpr(ExprKind kind_, int line_, ExprPtr operand_) : Expr(kind_, line_), operand(std::move(operand_)) {}
  ExprPtr operand;
};
struct BinaryExpr : Expr {
  BinaryExpr(ExprKind kind_, int line_, ExprPtr left_, ExprPtr right_, BinaryOp op_ = BinaryOp::add)
      : Expr(kind_, line_), left(std::move(left_)), right(std::move(right_)), op(op_) {}
  ExprPtr left, right;
  const BinaryOp op;
};
struct ConcatExpr : Expr {
  explicit ConcatExpr(int line_) : Expr(ExprKind::concat, line_) {}
  std::vector<ExprPtr> items;
};
struct CompareExpr : Expr {
  CompareExpr(int line_, ExprPtr first_) : Expr(ExprKind::compare, line_), first(std::move(first_)) {}
  ExprPtr first;
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
};
struct ConditionalExpr : Expr {
  explicit ConditionalExpr(int line_) : Expr(ExprKind::conditional, line_) {}
  ExprPtr test, then, otherwise;  // otherwise may be null: undefined
};

// What set, for and with assign to: a name, an attribute of a namespace, or a tuple of these.
struct Target {
  enum class Kind { name, attribute, tuple };
  Kind kind = Kind::name;
  int line = 1;
  std::string name, attribute;
  Place place;
  std::vector<Target> items;
};

enum class StmtKind {
  text,
  print,
  if_,
  for_,
  set,
  set_block,
  macro,
  call_block,
  filter_block,
  with,
  scope,
  break_,
  continue_
};

struct Stmt {
  Stmt(StmtKind kind_, int line_) : kind(kind_), line(line_) {}
  virtual ~Stmt() = default;
  const StmtKind kind;
  const int line;
};
using Body = std::vector<std::unique_ptr<Stmt>>;

struct TextStmt : Stmt {
  TextStmt(int line_, std::string text_) : Stmt(StmtKind::text, line_), text(std::move(text_)) {}
  const std::string text;
};
struct PrintStmt : Stmt {
  PrintStmt(int line_, ExprPtr value_) : Stmt(StmtKind::print, line_), value(std::move(value_)) {}
  ExprPtr value;
};
struct IfStmt : Stmt {
  explicit IfStmt(int line_) : Stmt(StmtKind::if_, line_) {}
  std::vector<std::pair<ExprPtr, Body>> branches;
  Body otherwise;
};
struct ForStmt : Stmt {
  explicit ForStmt(int line_) : Stmt(StmtKind::for_, line_) {}
  Target target;       // in scope
  Target test_target;  // the same names in test_scope
  ExprPtr items, test;
  bool recursive = false;
  bool uses_loop = false;
  int loop_slot = -1;
  Body body, otherwise;
  Scope scope, test_scope, else_scope;
};
struct SetStmt : Stmt {
  explicit SetStmt(int line_) : Stmt(StmtKind::set, line_) {}
  Target target;
  ExprPtr value;
};
struct SetBlockStmt : Stmt {
  explicit SetBlockStmt(int line_) : Stmt(StmtKind::set_block, line_) {}
  Target target;
  ExprPtr filter;  // null: the text itself
  Body body;
  Scope scope;
};
struct MacroStmt : Stmt {
  explicit MacroStmt(int line_) : Stmt(StmtKind::macro, line_) {}
  std::string name;  // empty for the body of a call block
  Place place;
  std::vector<std::string> parameters;
  std::vector<ExprPtr> defaults;  // of the last parameters
  Body body;
  Scope scope;
  // Slots of the special parameters that the body reads; -1 otherwise.
  int caller_slot = -1, kwargs_slot = -1, varargs_slot = -1;
};
struct CallBlockStmt : Stmt {
  explicit CallBlockStmt(int line_) : Stmt(StmtKind::call_block, line_), macro(line_) {}
  ExprPtr call;  // a CallExpr
  MacroStmt macro;
};
struct FilterBlockStmt : Stmt {
  explicit FilterBlockStmt(int line_) : Stmt(StmtKind::filter_block, line_) {}
  ExprPtr filter;
  Body body;
  Scope scope;
};
struct WithStmt : Stmt {
  explicit WithStmt(int line_) : Stmt(StmtKind::with, line_) {}
  std::vector<Target> targets;
  std::vector<ExprPtr> values;
  Body body;
  Scope scope;
};
// {% generation %}: its text passes through, its variables stay inside.
struct ScopeStmt : Stmt {
  explicit ScopeStmt(int line_) : Stmt(StmtKind::scope, line_) {}
  Body body;
  Scope scope;
};
struct JumpStmt : Stmt {
  using Stmt::Stmt;
};

struct Template {
  Body body;
  Scope scope;
  std::vector<std::string> context_names;  // variables that the template reads from its context, sorted
};

}  // namespace paro::text::jinja
