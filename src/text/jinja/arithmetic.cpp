// + - * / // % ** and the signs. Integers are 64 bits wide: what Python would hold in more digits is an error here.
#include <cmath>

#include "text/jinja/format.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

const char* symbol(BinaryOp op) {
  switch (op) {
    case BinaryOp::add:
      return "+";
    case BinaryOp::subtract:
      return "-";
    case BinaryOp::multiply:
      return "*";
    case BinaryOp::divide:
      return "/";
    case BinaryOp::floor_divide:
      return "//";
    case BinaryOp::modulo:
      return "%";
    case BinaryOp::power:
      return "** or pow()";
  }
  return "";
}

[[noreturn]] void fail_too_large() { fail("an integer exceeds 64 bits"); }

int64_t integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) fail_too_large();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail_too_large();
  }
  return result;
}

Value integer_binary(BinaryOp op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case BinaryOp::add:
      if (__builtin_add_overflow(a, b, &result)) fail_too_large();
      return Value::integer(result);
    case BinaryOp::subtract:
      if (__builtin_sub_overflow(a, b, &result)) fail_too_large();
      return Value::integer(result);
    case BinaryOp::multiply:
      if (__builtin_mul_overflow(a, b, &result)) fail_too_large();
      return Value::integer(result);
    case BinaryOp::divide:
      if (b == 0) fail("division by zero");
      return Value::real(double(a) / double(b));
    case BinaryOp::floor_divide:
      if (b == 0) fail("integer division or modulo by zero");
      if (b == -1) {
        if (__builtin_sub_overflow(int64_t(0), a, &result)) fail_too_large();
        return Value::integer(result);
      }
      return Value::integer(a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0));
    case BinaryOp::modulo:
      if (b == 0) fail("integer modulo by zero");
      if (b == -1) return Value::integer(0);
      result = a % b;
      return Value::integer(result != 0 && (result < 0) != (b < 0) ? result + b : result);
    case BinaryOp::power:
      if (b >= 0) return Value::integer(integer_power(a, b));
      if (a == 0) fail("0.0 cannot be raised to a negative power");
      return Value::real(std::pow(double(a), double(b)));
  }
  return Value();
}

double float_modulo(double a, double b) {
  double result = std::fmod(a, b);
  if (result != 0) {
    if ((b < 0) != (result < 0)) result += b;
  } else {
    result = std::copysign(0.0, b);
  }
  return result;
}

Value float_binary(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add:
      return Value::real(a + b);
    case BinaryOp::subtract:
      return Value::real(a - b);
    case BinaryOp::multiply:
      return Value::real(a * b);
    case BinaryOp::divide:
      if (b == 0) fail("float division by zero");
      return Value::real(a / b);
    case BinaryOp::floor_divide: {
      if (b == 0) fail("float floor division by zero");
      const double whole = (a - float_modulo(a, b)) / b;
      if (whole == 0) return Value::real(std::copysign(0.0, a / b));
      const double floored = std::floor(whole);
      return Value::real(whole - floored > 0.5 ? floored + 1 : floored);
    }
    case BinaryOp::modulo:
      if (b == 0) fail("float modulo");
      return Value::real(float_modulo(a, b));
    case BinaryOp::power: {
      if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
      if (a < 0 && std::isfinite(b) && b != std::floor(b)) fail("complex numbers are not supported");
      const double result = std::pow(a, b);
      if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) fail("Numerical result out of range");
      return Value::real(result);
    }
  }
  return Value();
}

Value join_texts(Runtime& runtime, const Str& a, const Str& b) {
  const bool markup = a.markup || b.markup;
  Text out(runtime.budget);
  out.add(markup && !a.markup ? escape_html(runtime.budget, a.text) : a.text);
  out.add(markup && !b.markup ? escape_html(runtime.budget, b.text) : b.text);
  return make_text(runtime, out.take(), markup);
}

Value repeat(Runtime& runtime, const Value& sequence, int64_t times) {
  times = std::max<int64_t>(times, 0);
  if (sequence.is_text()) {
    const std::string& piece = sequence.as_text();
    runtime.budget.product(times, int64_t(piece.size()));
    std::string out;
    if (!piece.empty()) {
      out.reserve(piece.size() * size_t(times));
      for (int64_t i = 0; i < times; ++i) out += piece;
    }
    return make_text(runtime, std::move(out), sequence.as_str().markup);
  }
  const auto& items = sequence.as_list().items;
  runtime.budget.product(times, int64_t(items.size() * sizeof(Value)));
  std::vector<Value> out;
  if (!items.empty()) {
    for (int64_t i = 0; i < times; ++i) out.insert(out.end(), items.begin(), items.end());
  }
  return sequence.as_list().is_tuple ? make_tuple(runtime, std::move(out)) : make_list(runtime, std::move(out));
}

}  // namespace

Value binary(Runtime& runtime, BinaryOp op, const Value& a, const Value& b) {
  // A string formats whatever stands behind %, undefined values too.
  if (op == BinaryOp::modulo && a.is_text()) return percent_format(runtime, a.as_str(), b);
  if (a.is_undefined()) fail_undefined(a);
  if (b.is_undefined()) fail_undefined(b);
  if (a.is_number() && b.is_number()) {
    if (a.is_float() || b.is_float()) return float_binary(op, a.number(), b.number());
    if (a.is_wide() || b.is_wide()) fail_too_large();
    return integer_binary(op, *a.index(), *b.index());
  }
  if (op == BinaryOp::add) {
    if (a.is_text() && b.is_text()) return join_texts(runtime, a.as_str(), b.as_str());
    if (a.is_list() && b.is_list() && a.as_list().is_tuple == b.as_list().is_tuple) {
      const auto &x = a.as_list().items, &y = b.as_list().items;
      runtime.budget.bytes(int64_t((x.size() + y.size()) * sizeof(Value)));
      std::vector<Value> out = x;
      out.insert(out.end(), y.begin(), y.end());
      return a.as_list().is_tuple ? make_tuple(runtime, std::move(out)) : make_list(runtime, std::move(out));
    }
  }
  if (op == BinaryOp::multiply) {
    if ((a.is_text() || a.is_list()) && b.index()) return repeat(runtime, a, *b.index());
    if ((b.is_text() || b.is_list()) && a.index()) return repeat(runtime, b, *a.index());
  }
  fail("unsupported operand type(s) for {}: '{}' and '{}'", symbol(op), type_name(a), type_name(b));
}

Value negative(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
  if (value.is_float()) return Value::real(-value.as_float());
  if (const auto i = value.index()) return integer_binary(BinaryOp::subtract, 0, *i);
  if (value.is_wide()) fail_too_large();
  fail("bad operand type for unary -: '{}'", type_name(value));
}

Value positive(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
  if (value.is_float() || value.is_wide()) return value;
  if (const auto i = value.index()) return Value::integer(*i);
  fail("bad operand type for unary +: '{}'", type_name(value));
}

Value absolute(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_number()) fail("bad operand type for abs(): '{}'", type_name(value));
  if (value.is_wide()) return value;
  if (value.is_float()) return Value::real(std::abs(value.as_float()));
  return *value.index() < 0 ? negative(value) : positive(value);
}

}  // namespace paro::text::jinja
