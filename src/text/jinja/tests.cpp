// The tests behind `is`.
#include "text/jinja/format.h"
#include "text/jinja/objects.h"
#include "text/jinja/operations.h"

namespace paro::text::jinja {
namespace {

using Kind = bool (*)(const Value&);

// A test of the value alone.
template <Kind kKind>
Value test_kind(Runtime&, const Value& self, Args& args) {
  Bound("test", args, {});
  return Value::boolean(kKind(self));
}

bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.is_bool(); }
bool is_true(const Value& v) { return v.is_bool() && v.as_bool(); }
bool is_false(const Value& v) { return v.is_bool() && !v.as_bool(); }
bool is_integer(const Value& v) { return v.is_int(); }
bool is_float(const Value& v) { return v.is_float(); }
bool is_number(const Value& v) { return v.is_number(); }
bool is_string(const Value& v) { return v.is_text(); }
bool is_mapping(const Value& v) { return v.is_dict(); }
bool is_escaped(const Value& v) { return v.is_text() && v.as_str().markup; }
bool is_callable(const Value& v) { return v.is_undefined() || (v.is_object() && v.as_object().callable()); }
bool is_sequence(const Value& v) {
  return v.is_text() || v.is_list() || v.is_dict() || v.is_undefined() || (v.is_object() && v.as_object().indexable());
}

Value test_iterable(Runtime& runtime, const Value& self, Args& args) {
  Bound("iterable", args, {});
  return Value::boolean(is_iterable(runtime, self));
}

template <CompareOp kOp>
Value test_compare(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("test", args, {"/other"}, 1);
  return Value::boolean(compare(runtime, kOp, self, *bound[0]));
}

Value test_in(Runtime& runtime, const Value& self, Args& args) {
  return Value::boolean(contains(runtime, *Bound("in", args, {"seq"}, 1)[0], self));
}

bool remainder_is(Runtime& runtime, const Value& value, const Value& divisor, int64_t rest) {
  return equal(runtime.budget, binary(runtime, BinaryOp::modulo, value, divisor), Value::integer(rest));
}

Value test_odd(Runtime& runtime, const Value& self, Args& args) {
  Bound("odd", args, {});
  return Value::boolean(remainder_is(runtime, self, Value::integer(2), 1));
}

Value test_even(Runtime& runtime, const Value& self, Args& args) {
  Bound("even", args, {});
  return Value::boolean(remainder_is(runtime, self, Value::integer(2), 0));
}

Value test_divisibleby(Runtime& runtime, const Value& self, Args& args) {
  return Value::boolean(remainder_is(runtime, self, *Bound("divisibleby", args, {"num"}, 1)[0], 0));
}

Value test_sameas(Runtime&, const Value& self, Args& args) {
  return Value::boolean(is_same(self, *Bound("sameas", args, {"other"}, 1)[0]));
}

Value test_lower(Runtime& runtime, const Value& self, Args& args) {
  return find_text_method("islower")(runtime, as_text_value(runtime, self), args);
}

Value test_upper(Runtime& runtime, const Value& self, Args& args) {
  return find_text_method("isupper")(runtime, as_text_value(runtime, self), args);
}

Value test_filter(Runtime& runtime, const Value& self, Args& args) {
  Bound("filter", args, {});
  hash_of(runtime.budget, self);
  return Value::boolean(self.is_text() && find_filter(self.as_text()) != nullptr);
}

Value test_test(Runtime& runtime, const Value& self, Args& args) {
  Bound("test", args, {});
  hash_of(runtime.budget, self);
  return Value::boolean(self.is_text() && find_test(self.as_text()) != nullptr);
}

constexpr BuiltinRow kTests[] = {
    {"!=", test_compare<CompareOp::not_equal>},
    {"<", test_compare<CompareOp::less>},
    {"<=", test_compare<CompareOp::less_equal>},
    {"==", test_compare<CompareOp::equal>},
    {">", test_compare<CompareOp::greater>},
    {">=", test_compare<CompareOp::greater_equal>},
    {"boolean", test_kind<is_boolean>},
    {"callable", test_kind<is_callable>},
    {"defined", test_kind<is_defined>},
    {"divisibleby", test_divisibleby},
    {"eq", test_compare<CompareOp::equal>},
    {"equalto", test_compare<CompareOp::equal>},
    {"escaped", test_kind<is_escaped>},
    {"even", test_even},
    {"false", test_kind<is_false>},
    {"filter", test_filter},
    {"float", test_kind<is_float>},
    {"ge", test_compare<CompareOp::greater_equal>},
    {"greaterthan", test_compare<CompareOp::greater>},
    {"gt", test_compare<CompareOp::greater>},
    {"in", test_in},
    {"integer", test_kind<is_integer>},
    {"iterable", test_iterable},
    {"le", test_compare<CompareOp::less_equal>},
    {"lessthan", test_compare<CompareOp::less>},
    {"lower", test_lower},
    {"lt", test_compare<CompareOp::less>},
    {"mapping", test_kind<is_mapping>},
    {"ne", test_compare<CompareOp::not_equal>},
    {"none", test_kind<is_none>},
    {"number", test_kind<is_number>},
    {"odd", test_odd},
    {"sameas", test_sameas},
    {"sequence", test_kind<is_sequence>},
    {"string", test_kind<is_string>},
    {"test", test_test},
    {"true", test_kind<is_true>},
    {"undefined", test_kind<is_undefined>},
    {"upper", test_upper},
};

}  // namespace

Builtin find_test(std::string_view name) { return find_builtin(kTests, name); }

}  // namespace paro::text::jinja
