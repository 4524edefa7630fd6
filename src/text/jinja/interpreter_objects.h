// What the interpreter hands to templates: macros, the loop variable, and the frames behind them.
#pragma once

#include <algorithm>

#include "text/jinja/interpreter.h"

namespace paro::text::jinja {

// A frame for the time of a block; kept longer when a macro has captured it.
class Interpreter::OpenFrame {
 public:
  OpenFrame(Interpreter& interpreter, const Scope& scope, Frame* parent)
      : interpreter_(interpreter), frame_(std::make_unique<Frame>()) {
    interpreter.runtime_.budget.bytes(int64_t(sizeof(Frame) + scope.loads.size() * sizeof(Value)));
    frame_->parent = parent;
    frame_->slots.assign(scope.loads.size(), Value::missing());
  }
  ~OpenFrame() {
    if (frame_->captured) interpreter_.kept_.push_back(std::move(frame_));
  }
  OpenFrame(const OpenFrame&) = delete;
  OpenFrame& operator=(const OpenFrame&) = delete;
  Frame& operator*() const { return *frame_; }
  Frame* operator->() const { return frame_.get(); }

 private:
  Interpreter& interpreter_;
  std::unique_ptr<Frame> frame_;
};

class Interpreter::Macro : public Object {
 public:
  Macro(Interpreter& interpreter, const MacroStmt& s, Frame& frame) : interpreter_(interpreter), s_(s), frame_(frame) {}
  const char* type_name() const override { return "Macro"; }
  bool callable() const override { return true; }
  Value call(Runtime&, Args& args) override { return interpreter_.call_macro(s_, frame_, args); }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void repr(Runtime& runtime, Text& out) override;

 private:
  Interpreter& interpreter_;
  const MacroStmt& s_;
  Frame& frame_;  // kept by the interpreter
};

// The variable `loop`. It reads one item ahead only when asked for what comes next.
class Interpreter::Loop : public Object {
 public:
  Loop(Interpreter& interpreter, const ForStmt& s, Frame& outer, Runtime& runtime, const Value& source, int depth0);
  const char* type_name() const override { return "LoopContext"; }
  bool truth(Runtime& runtime) override { return size(runtime) != 0; }
  bool callable() const override { return true; }
  std::optional<int64_t> length(Runtime& runtime) override { return size(runtime); }
  Value call(Runtime& runtime, Args& args) override;
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void repr(Runtime& runtime, Text& out) override;
  int depth() const override { return depth_; }

  bool advance(Runtime& runtime, Value& item);

  // Lets go of all items when the loop ends: the values of `loop` may refer to it.
  struct Ended {
    explicit Ended(Loop& loop_) : loop(loop_) {}
    ~Ended() { loop.end(); }
    Loop& loop;
  };

 private:
  static Value cycle(Runtime& runtime, const Value& self, Args& args);
  static Value changed(Runtime& runtime, const Value& self, Args& args);
  int64_t size(Runtime& runtime);
  bool peek(Runtime& runtime);
  void end();

  Interpreter& interpreter_;
  const ForStmt& s_;
  Frame* outer_;  // null after the loop
  Ref<Generator> items_;
  std::optional<int64_t> size_;
  std::optional<Value> current_, before_, after_, changed_;
  int64_t index0_ = -1;
  int depth0_;
  int depth_;
};

}  // namespace paro::text::jinja
