#include "text/jinja/interpreter_objects.h"

#include "text/jinja/operations.h"

namespace paro::text::jinja {

std::optional<Value> Interpreter::Macro::attribute(Runtime& runtime, std::string_view name) {
  if (name == "name") return make_text(runtime, s_.name);
  if (name == "arguments") {
    std::vector<Value> names;
    for (const std::string& parameter : s_.parameters) names.push_back(make_text(runtime, parameter));
    return make_tuple(runtime, std::move(names));
  }
  if (name == "catch_kwargs") return Value::boolean(s_.kwargs_slot >= 0);
  if (name == "catch_varargs") return Value::boolean(s_.varargs_slot >= 0);
  if (name == "caller") return Value::boolean(s_.caller_slot >= 0);
  return std::nullopt;
}

void Interpreter::Macro::repr(Runtime& runtime, Text& out) {
  out.add("<Macro ");
  if (s_.name.empty()) {
    out.add("anonymous");
  } else {
    jinja::repr(runtime, make_text(runtime, s_.name), out);
  }
  out.add('>');
}

Interpreter::Loop::Loop(Interpreter& interpreter, const ForStmt& s, Frame& outer, Runtime& runtime, const Value& source,
                        int depth0)
    : interpreter_(interpreter),
      s_(s),
      outer_(&outer),
      items_(jinja::iterate(runtime, source)),
      depth0_(depth0),
      depth_(depth_of(source) + 1) {
  size_ = jinja::try_length(runtime, source);
}

bool Interpreter::Loop::advance(Runtime& runtime, Value& item) {
  if (after_) {
    item = std::move(*after_);
    after_.reset();
  } else if (!items_->next(runtime, item)) {
    return false;
  }
  ++index0_;
  before_ = std::exchange(current_, item);
  return true;
}

bool Interpreter::Loop::peek(Runtime& runtime) {
  if (after_) return true;
  Value item;
  if (!items_ || !items_->next(runtime, item)) return false;
  after_ = std::move(item);
  return true;
}

int64_t Interpreter::Loop::size(Runtime& runtime) {
  if (!size_) {
    const Value rest = make_list(runtime, items_ ? collect(runtime, Value::object(items_)) : std::vector<Value>());
    size_ = int64_t(rest.as_list().items.size()) + index0_ + 1 + (after_ ? 1 : 0);
    items_ = jinja::iterate(runtime, rest);
  }
  return *size_;
}

void Interpreter::Loop::end() {
  outer_ = nullptr;
  items_ = Ref<Generator>();
  size_ = size_.value_or(index0_ + 1);
  current_.reset();
  before_.reset();
  after_.reset();
  changed_.reset();
}

Value Interpreter::Loop::call(Runtime& runtime, Args& args) {
  const Bound bound("loop", args, {"iterable"}, 1);
  if (!s_.recursive) fail("The loop must have the 'recursive' marker to be called recursively.");
  if (outer_ == nullptr) fail("the loop has ended");
  Text out(runtime.budget);
  interpreter_.run_for(s_, *outer_, *bound[0], depth0_ + 1, out);
  return make_text(runtime, out.take());
}

Value Interpreter::Loop::cycle(Runtime&, const Value& self, Args& args) {
  if (!args.named.empty()) fail("cycle() got an unexpected keyword argument '{}'", args.named.front().first);
  if (args.positional.empty()) fail("no items for cycling given");
  const int64_t at = self.object_as<Loop>()->index0_;
  return args.positional[size_t(std::max<int64_t>(at, 0)) % args.positional.size()];
}

Value Interpreter::Loop::changed(Runtime& runtime, const Value& self, Args& args) {
  Loop& loop = *self.object_as<Loop>();
  const Value now = make_tuple(runtime, args.positional);
  if (loop.changed_ && equal(runtime.budget, *loop.changed_, now)) return Value::boolean(false);
  if (loop.outer_ != nullptr) loop.changed_ = now;
  return Value::boolean(true);
}

std::optional<Value> Interpreter::Loop::attribute(Runtime& runtime, std::string_view name) {
  const auto method = [&](Builtin function) {
    return Value::object(make_ref<Function>("method", name, function, Value::object(Ref<Loop>(this))));
  };
  if (name == "index") return Value::integer(index0_ + 1);
  if (name == "index0") return Value::integer(index0_);
  if (name == "first") return Value::boolean(index0_ == 0);
  if (name == "last") return Value::boolean(!peek(runtime));
  if (name == "length") return Value::integer(size(runtime));
  if (name == "revindex") return Value::integer(size(runtime) - index0_);
  if (name == "revindex0") return Value::integer(size(runtime) - index0_ - 1);
  if (name == "depth") return Value::integer(depth0_ + 1);
  if (name == "depth0") return Value::integer(depth0_);
  if (name == "previtem") return before_.value_or(Value::undefined());
  if (name == "nextitem") return peek(runtime) ? *after_ : Value::undefined();
  if (name == "cycle") return method(cycle);
  if (name == "changed") return method(changed);
  return std::nullopt;
}

void Interpreter::Loop::repr(Runtime& runtime, Text& out) {
  out.add(fmt::format("<LoopContext {}/{}>", index0_ + 1, size(runtime)));
}

}  // namespace paro::text::jinja
