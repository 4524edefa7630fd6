#include "text/jinja/interpreter.h"

#include "text/jinja/interpreter_objects.h"

namespace paro::text::jinja {

Interpreter::Interpreter(const Template& tree, const Value& context, Runtime& runtime)
    : tree_(tree), context_(context), runtime_(runtime) {}

Interpreter::~Interpreter() {
  // Macros and the frames that hold them refer to each other.
  for (const auto& frame : kept_) frame->slots.clear();
}

std::string Interpreter::render() {
  OpenFrame root(*this, tree_.scope, nullptr);
  enter(*root, tree_.scope);
  Text out(runtime_.budget);
  run(tree_.body, *root, out);
  return out.take();
}

// --- variables

Interpreter::Frame& Interpreter::frame_at(Frame& frame, int hops) {
  Frame* at = &frame;
  for (; hops > 0; --hops) at = at->parent;
  return *at;
}

Value Interpreter::resolve(const std::string& name) {
  if (const Value* found = context_.as_dict().find(name)) return *found;
  if (const Builtin global = find_global(name)) {
    return Value::object(make_ref<Function>("function", name, global, Value()));
  }
  return Value::missing();
}

void Interpreter::enter(Frame& frame, const Scope& scope) {
  for (size_t i = 0; i < scope.loads.size(); ++i) {
    const Load& l = scope.loads[i];
    switch (l.from) {
      case Load::From::parameter:
        break;
      case Load::From::context:
        frame.slots[i] = resolve(l.name);
        break;
      case Load::From::outer:
        frame.slots[i] = frame_at(frame, l.outer.hops).slots[size_t(l.outer.slot)];
        break;
      case Load::From::nothing:
        frame.slots[i] = Value::missing();
        break;
    }
  }
}

void Interpreter::assign(const Target& target, const Value& value, Frame& frame) {
  switch (target.kind) {
    case Target::Kind::name:
      frame_at(frame, target.place.hops).slots[size_t(target.place.slot)] = value;
      return;
    case Target::Kind::attribute: {
      const Value& space = frame_at(frame, target.place.hops).slots[size_t(target.place.slot)];
      auto* fields = space.object_as<Namespace>();
      if (fields == nullptr) fail("cannot assign attribute on non-namespace object");
      fields->set(runtime_, target.attribute, value);
      return;
    }
    case Target::Kind::tuple: {
      if (!value.is_undefined() && !is_iterable(runtime_, value))
        fail("cannot unpack non-iterable {} object", type_name(value));
      const Ref<Generator> items = iterate(runtime_, value);
      std::vector<Value> parts;
      for (Value item; parts.size() <= target.items.size() && items->next(runtime_, item);)
        parts.push_back(std::move(item));
      if (parts.size() > target.items.size()) fail("too many values to unpack (expected {})", target.items.size());
      if (parts.size() < target.items.size()) {
        fail("not enough values to unpack (expected {}, got {})", target.items.size(), parts.size());
      }
      for (size_t i = 0; i < parts.size(); ++i) assign(target.items[i], parts[i], frame);
      return;
    }
  }
}

// --- statements

void Interpreter::write(const Value& value, Text& out) {
  print(runtime_, value, out);
  if (int64_t(out.view().size()) > runtime_.budget.limits().output_bytes) {
    throw OutputTooLong(fmt::format("rendering gives more than {} bytes", runtime_.budget.limits().output_bytes));
  }
}

Interpreter::Flow Interpreter::run(const Body& body, Frame& frame, Text& out) {
  const Budget::Level level(runtime_.budget);
  for (const auto& statement : body) {
    const Flow flow = run_stmt(*statement, frame, out);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_stmt(const Stmt& s, Frame& frame, Text& out) {
  runtime_.budget.step();
  runtime_.line = s.line;
  switch (s.kind) {
    case StmtKind::text:
      out.add(static_cast<const TextStmt&>(s).text);
      return Flow::normal;
    case StmtKind::print:
      write(eval(*static_cast<const PrintStmt&>(s).value, frame), out);
      return Flow::normal;
    case StmtKind::if_:
      return run_if(static_cast<const IfStmt&>(s), frame, out);
    case StmtKind::for_: {
      const auto& loop = static_cast<const ForStmt&>(s);
      return run_for(loop, frame, eval(*loop.items, frame), 0, out);
    }
    case StmtKind::set:
      run_set(static_cast<const SetStmt&>(s), frame);
      return Flow::normal;
    case StmtKind::set_block:
      return run_set_block(static_cast<const SetBlockStmt&>(s), frame);
    case StmtKind::macro: {
      const auto& macro = static_cast<const MacroStmt&>(s);
      frame_at(frame, macro.place.hops).slots[size_t(macro.place.slot)] = make_macro(macro, frame);
      return Flow::normal;
    }
    case StmtKind::call_block:
      run_call_block(static_cast<const CallBlockStmt&>(s), frame, out);
      return Flow::normal;
    case StmtKind::filter_block:
      return run_filter_block(static_cast<const FilterBlockStmt&>(s), frame, out);
    case StmtKind::with:
      return run_with(static_cast<const WithStmt&>(s), frame, out);
    case StmtKind::scope: {
      const auto& scope = static_cast<const ScopeStmt&>(s);
      OpenFrame inner(*this, scope.scope, &frame);
      enter(*inner, scope.scope);
      return run(scope.body, *inner, out);
    }
    case StmtKind::break_:
      return Flow::break_;
    case StmtKind::continue_:
      return Flow::continue_;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_if(const IfStmt& s, Frame& frame, Text& out) {
  for (const auto& [test, body] : s.branches) {
    if (truth(runtime_, eval(*test, frame))) return run(body, frame, out);
  }
  return run(s.otherwise, frame, out);
}

// The items that pass the test of a loop, tested as they are reached.
Ref<Generator> Interpreter::tested(const ForStmt& s, Frame& outer, const Value& items) {
  const auto frame =
      std::make_shared<OpenFrame>(*this, s.test_scope, &outer);  // shared by the copies of the function only
  return make_generator(runtime_, depth_of(items),
                        [this, &s, frame, source = iterate(runtime_, items), entered = false](Value& out) mutable {
                          if (!entered) enter(**frame, s.test_scope);
                          entered = true;
                          while (source->next(runtime_, out)) {
                            assign(s.test_target, out, **frame);
                            if (truth(runtime_, eval(*s.test, **frame))) return true;
                          }
                          return false;
                        });
}

Interpreter::Flow Interpreter::run_for(const ForStmt& s, Frame& outer, const Value& items, int depth, Text& out) {
  const Budget::Level level(runtime_.budget);
  Value source = items;
  if (s.test) source = Value::object(tested(s, outer, items));
  OpenFrame frame(*this, s.scope, &outer);
  runtime_.budget.bytes(sizeof(Loop));
  const auto loop = make_ref<Loop>(*this, s, outer, runtime_, source, depth);
  const Loop::Ended ended(*loop);
  if (s.uses_loop) frame->slots[size_t(s.loop_slot)] = Value::object(loop);
  // As in jinja2, the else part is skipped only once a round has run to its end.
  bool completed = false;
  for (Value item; loop->advance(runtime_, item);) {
    assign(s.target, item, *frame);
    enter(*frame, s.scope);
    const Flow flow = run(s.body, *frame, out);
    if (flow == Flow::break_) break;
    if (flow == Flow::normal) completed = true;
  }
  if (completed || s.otherwise.empty()) return Flow::normal;
  OpenFrame rest(*this, s.else_scope, &outer);
  enter(*rest, s.else_scope);
  return run(s.otherwise, *rest, out);
}

void Interpreter::run_set(const SetStmt& s, Frame& frame) {
  const Value value = eval(*s.value, frame);
  runtime_.line = s.line;
  assign(s.target, value, frame);
}

Interpreter::Flow Interpreter::run_set_block(const SetBlockStmt& s, Frame& frame) {
  OpenFrame inner(*this, s.scope, &frame);
  enter(*inner, s.scope);
  Text text(runtime_.budget);
  const Flow flow = run(s.body, *inner, text);
  if (flow != Flow::normal) return flow;
  Value value = make_text(runtime_, text.take());
  if (s.filter) {
    captured_ = value;
    value = eval(*s.filter, *inner);
  }
  assign(s.target, value, frame);
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_filter_block(const FilterBlockStmt& s, Frame& frame, Text& out) {
  OpenFrame inner(*this, s.scope, &frame);
  enter(*inner, s.scope);
  Text text(runtime_.budget);
  const Flow flow = run(s.body, *inner, text);
  if (flow != Flow::normal) return flow;
  captured_ = make_text(runtime_, text.take());
  write(eval(*s.filter, *inner), out);
  return Flow::normal;
}

Interpreter::Flow Interpreter::run_with(const WithStmt& s, Frame& frame, Text& out) {
  OpenFrame inner(*this, s.scope, &frame);
  enter(*inner, s.scope);
  for (size_t i = 0; i < s.targets.size(); ++i) assign(s.targets[i], eval(*s.values[i], frame), *inner);
  return run(s.body, *inner, out);
}

Value Interpreter::make_macro(const MacroStmt& s, Frame& frame) {
  runtime_.budget.bytes(sizeof(Macro));
  for (Frame* at = &frame; at != nullptr && !at->captured; at = at->parent) at->captured = true;
  return Value::object(make_ref<Macro>(*this, s, frame));
}

void Interpreter::run_call_block(const CallBlockStmt& s, Frame& frame, Text& out) {
  const Value caller = make_macro(s.macro, frame);
  write(eval_call(static_cast<const CallExpr&>(*s.call), frame, &caller), out);
}

Value Interpreter::call_macro(const MacroStmt& s, Frame& outer, Args& args) {
  const Budget::Level level(runtime_.budget);
  const size_t n = s.parameters.size();
  OpenFrame frame(*this, s.scope, &outer);
  for (size_t i = 0; i < s.scope.loads.size(); ++i) frame->slots[i] = Value::missing();
  const auto slot = [&](size_t i) -> Value& { return frame->slots[size_t(s.scope.find(s.parameters[i]))]; };
  const auto take_named = [&](std::string_view name) -> std::optional<Value> {
    for (auto given = args.named.begin(); given != args.named.end(); ++given) {
      if (given->first != name) continue;
      Value value = std::move(given->second);
      args.named.erase(given);
      return value;
    }
    return std::nullopt;
  };
  const size_t n_positional = std::min(n, args.positional.size());
  for (size_t i = 0; i < n_positional; ++i) slot(i) = args.positional[i];
  bool caller_found = false;
  for (size_t i = n_positional; i < n; ++i) {
    if (auto value = take_named(s.parameters[i])) slot(i) = std::move(*value);
    caller_found = caller_found || s.parameters[i] == "caller";
  }
  if (n_positional == n)
    caller_found = std::find(s.parameters.begin(), s.parameters.end(), "caller") != s.parameters.end();
  if (s.caller_slot >= 0 && !caller_found) {
    static const std::string kCaller = "caller";
    frame->slots[size_t(s.caller_slot)] = take_named("caller").value_or(Value::undefined(&kCaller));
  }
  if (s.kwargs_slot >= 0) {
    const Ref<Dict> rest = make_ref<Dict>();
    for (const auto& [name, value] : args.named) rest->set(runtime_.budget, make_text(runtime_, name), value);
    frame->slots[size_t(s.kwargs_slot)] = Value::dict(rest);
  } else if (!args.named.empty()) {
    fail("macro '{}' takes no keyword argument '{}'", s.name, args.named.front().first);
  }
  if (s.varargs_slot >= 0) {
    std::vector<Value> rest(args.positional.begin() + int64_t(n_positional), args.positional.end());
    frame->slots[size_t(s.varargs_slot)] = make_tuple(runtime_, std::move(rest));
  } else if (args.positional.size() > n) {
    fail("macro '{}' takes not more than {} argument(s)", s.name, n);
  }
  enter(*frame, s.scope);
  const size_t first_default = n - s.defaults.size();
  for (size_t i = 0; i < n; ++i) {
    if (!slot(i).is_missing()) continue;
    slot(i) = i >= first_default ? eval(*s.defaults[i - first_default], *frame) : Value::undefined(&s.parameters[i]);
  }
  Text out(runtime_.budget);
  run(s.body, *frame, out);
  return make_text(runtime_, out.take());
}

}  // namespace paro::text::jinja
