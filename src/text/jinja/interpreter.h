// Walks a bound syntax tree and writes its text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/format.h"
#include "text/jinja/runtime.h"

namespace paro::text::jinja {

class Interpreter {
 public:
  // The tree and the context outlive the interpreter.
  Interpreter(const Template& tree, const Value& context, Runtime& runtime);
  ~Interpreter();

  std::string render();

 private:
  // The variables of a block while it runs. A macro reads the frames around it when it is called, perhaps after their
  // blocks have ended; such frames are kept until the rendering ends.
  struct Frame {
    Frame* parent;
    std::vector<Value> slots;
    bool captured = false;
  };
  class OpenFrame;
  class Macro;
  class Loop;
  enum class Flow { normal, break_, continue_ };

  // --- statements
  Flow run(const Body& body, Frame& frame, Text& out);
  Flow run_stmt(const Stmt& s, Frame& frame, Text& out);
  Flow run_if(const IfStmt& s, Frame& frame, Text& out);
  Flow run_for(const ForStmt& s, Frame& outer, const Value& items, int depth, Text& out);
  void run_set(const SetStmt& s, Frame& frame);
  Flow run_set_block(const SetBlockStmt& s, Frame& frame);
  Flow run_filter_block(const FilterBlockStmt& s, Frame& frame, Text& out);
  Flow run_with(const WithStmt& s, Frame& frame, Text& out);
  void run_call_block(const CallBlockStmt& s, Frame& frame, Text& out);
  Ref<Generator> tested(const ForStmt& s, Frame& outer, const Value& items);
  Value make_macro(const MacroStmt& s, Frame& frame);
  Value call_macro(const MacroStmt& s, Frame& outer, Args& args);
  void assign(const Target& target, const Value& value, Frame& frame);
  void write(const Value& value, Text& out);

  // --- expressions
  Value eval(const Expr& e, Frame& frame);
  Value eval_name(const NameExpr& e, Frame& frame);
  Value eval_sequence(const SequenceExpr& e, Frame& frame);
  Value eval_dict(const DictExpr& e, Frame& frame);
  Value eval_slice(const SliceExpr& e, Frame& frame);
  Value eval_call(const CallExpr& e, Frame& frame, const Value* caller);
  Value eval_builtin(const BuiltinExpr& e, Frame& frame);
  Value eval_concat(const ConcatExpr& e, Frame& frame);
  Value eval_compare(const CompareExpr& e, Frame& frame);
  Args eval_arguments(const Arguments& arguments, Frame& frame);

  // --- variables
  static Frame& frame_at(Frame& frame, int hops);
  Value resolve(const std::string& name);
  void enter(Frame& frame, const Scope& scope);

  const Template& tree_;
  const Value& context_;
  Runtime& runtime_;
  std::vector<std::unique_ptr<Frame>> kept_;
  Value captured_;  // the text of the block whose filter is about to run
};

}  // namespace paro::text::jinja
