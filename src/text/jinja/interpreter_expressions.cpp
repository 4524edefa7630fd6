// The interpreter's expressions: from a node of the tree to its value.
#include "text/jinja/interpreter.h"
#include "text/jinja/interpreter_objects.h"

namespace paro::text::jinja {

Value Interpreter::eval(const Expr& e, Frame& frame) {
  runtime_.budget.step();
  const Budget::Level level(runtime_.budget);
  runtime_.line = e.line;
  switch (e.kind) {
    case ExprKind::constant:
      return static_cast<const ConstantExpr&>(e).value;
    case ExprKind::name:
      return eval_name(static_cast<const NameExpr&>(e), frame);
    case ExprKind::sequence:
      return eval_sequence(static_cast<const SequenceExpr&>(e), frame);
    case ExprKind::dict:
      return eval_dict(static_cast<const DictExpr&>(e), frame);
    case ExprKind::attribute: {
      const auto& node = static_cast<const AttributeExpr&>(e);
      const Value object = eval(*node.object, frame);
      runtime_.line = e.line;
      return get_attribute(runtime_, object, node.name);
    }
    case ExprKind::item: {
      const auto& node = static_cast<const ItemExpr&>(e);
      const Value object = eval(*node.object, frame);
      return get_item(runtime_, object, eval(*node.key, frame));
    }
    case ExprKind::slice:
      return eval_slice(static_cast<const SliceExpr&>(e), frame);
    case ExprKind::call:
      return eval_call(static_cast<const CallExpr&>(e), frame, nullptr);
    case ExprKind::filter:
    case ExprKind::test:
      return eval_builtin(static_cast<const BuiltinExpr&>(e), frame);
    case ExprKind::captured:
      return std::exchange(captured_, Value());
    case ExprKind::negative:
      return negative(eval(*static_cast<const UnaryExpr&>(e).operand, frame));
    case ExprKind::positive:
      return positive(eval(*static_cast<const UnaryExpr&>(e).operand, frame));
    case ExprKind::logical_not:
      return Value::boolean(!truth(runtime_, eval(*static_cast<const UnaryExpr&>(e).operand, frame)));
    case ExprKind::logical_and:
    case ExprKind::logical_or: {
      const auto& node = static_cast<const BinaryExpr&>(e);
      Value left = eval(*node.left, frame);
      return truth(runtime_, left) == (e.kind == ExprKind::logical_and) ? eval(*node.right, frame) : left;
    }
    case ExprKind::binary: {
      const auto& node = static_cast<const BinaryExpr&>(e);
      const Value left = eval(*node.left, frame), right = eval(*node.right, frame);
      runtime_.line = e.line;
      return binary(runtime_, node.op, left, right);
    }
    case ExprKind::concat:
      return eval_concat(static_cast<const ConcatExpr&>(e), frame);
    case ExprKind::compare:
      return eval_compare(static_cast<const CompareExpr&>(e), frame);
    case ExprKind::conditional: {
      const auto& node = static_cast<const ConditionalExpr&>(e);
      if (truth(runtime_, eval(*node.test, frame))) return eval(*node.then, frame);
      return node.otherwise ? eval(*node.otherwise, frame) : Value::undefined();
    }
  }
  return Value();
}

Value Interpreter::eval_name(const NameExpr& e, Frame& frame) {
  const Value& value = frame_at(frame, e.place.hops).slots[size_t(e.place.slot)];
  return value.is_missing() ? Value::undefined(&e.name) : value;
}

Value Interpreter::eval_sequence(const SequenceExpr& e, Frame& frame) {
  std::vector<Value> items;
  items.reserve(e.items.size());
  for (const auto& item : e.items) items.push_back(eval(*item, frame));
  return e.is_tuple ? make_tuple(runtime_, std::move(items)) : make_list(runtime_, std::move(items));
}

Value Interpreter::eval_dict(const DictExpr& e, Frame& frame) {
  const Ref<Dict> dict = make_ref<Dict>();
  for (const auto& [key, value] : e.entries) {
    const Value k = eval(*key, frame);
    dict->set(runtime_.budget, k, eval(*value, frame));
  }
  return Value::dict(dict);
}

Value Interpreter::eval_slice(const SliceExpr& e, Frame& frame) {
  const Value object = eval(*e.object, frame);
  const auto bound = [&](const ExprPtr& part) { return part ? eval(*part, frame) : Value(); };
  const Value start = bound(e.start), stop = bound(e.stop), step = bound(e.step);
  return slice(runtime_, object, start, stop, step);
}

Args Interpreter::eval_arguments(const Arguments& arguments, Frame& frame) {
  Args args;
  args.positional.reserve(arguments.positional.size());
  for (const auto& part : arguments.positional) args.positional.push_back(eval(*part, frame));
  if (arguments.star) {
    for (Value& item : collect(runtime_, eval(*arguments.star, frame))) args.positional.push_back(std::move(item));
  }
  for (const auto& [name, part] : arguments.named) args.named.emplace_back(name, eval(*part, frame));
  if (arguments.double_star) {
    const Value more = eval(*arguments.double_star, frame);
    if (!more.is_dict()) fail("argument after ** must be a mapping, not {}", type_name(more));
    for (const auto& [key, value] : more.as_dict().entries()) {
      if (!key.is_text()) fail("keywords must be strings");
      for (const auto& given : arguments.named) {
        if (given.first == key.as_text()) fail("got multiple values for keyword argument '{}'", given.first);
      }
      runtime_.budget.bytes(int64_t(key.as_text().size() + sizeof(Value)));
      args.named.emplace_back(key.as_text(), value);
    }
  }
  return args;
}

Value Interpreter::eval_call(const CallExpr& e, Frame& frame, const Value* caller) {
  const Value callee = eval(*e.callee, frame);
  Args args = eval_arguments(e.arguments, frame);
  if (caller != nullptr) args.named.emplace_back("caller", *caller);
  runtime_.line = e.line;
  if (callee.is_undefined()) fail_undefined(callee);
  if (!callee.is_object()) fail("'{}' object is not callable", type_name(callee));
  return callee.as_object().call(runtime_, args);
}

Value Interpreter::eval_builtin(const BuiltinExpr& e, Frame& frame) {
  if (e.function == nullptr) fail("No {} named '{}' found.", e.kind == ExprKind::filter ? "filter" : "test", e.name);
  const Value input = eval(*e.input, frame);
  Args args = eval_arguments(e.arguments, frame);
  runtime_.line = e.line;
  return e.function(runtime_, input, args);
}

Value Interpreter::eval_concat(const ConcatExpr& e, Frame& frame) {
  Text out(runtime_.budget);
  for (const auto& item : e.items) print(runtime_, eval(*item, frame), out);
  return make_text(runtime_, out.take());
}

Value Interpreter::eval_compare(const CompareExpr& e, Frame& frame) {
  Value left = eval(*e.first, frame);
  bool result = true;
  for (const auto& [op, part] : e.rest) {
    Value right = eval(*part, frame);
    result = compare(runtime_, op, left, right);
    if (!result) break;
    left = std::move(right);
  }
  return Value::boolean(result);
}

}  // namespace paro::text::jinja
