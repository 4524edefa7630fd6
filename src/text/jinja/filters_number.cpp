// Filters about single values: numbers and defaults.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "text/jinja/filters.h"
#include "text/jinja/format_number.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

// Python's spelling of numbers: surrounding white space, and single underscores between digits.
std::optional<std::string> cleaned_number(std::string_view text) {
  size_t begin = 0, end = text.size();
  while (begin < end) {
    size_t next = begin;
    if (!is_space(decode_at(text, next))) break;
    begin = next;
  }
  while (end > begin) {
    size_t last = end - 1;
    while (last > begin && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
    size_t next = last;
    if (!is_space(decode_at(text, next))) break;
    end = last;
  }
  std::string out;
  for (size_t i = begin; i < end; ++i) {
    if (text[i] == '_') {
      const auto alnum = [](char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'); };
      if (i == begin || i + 1 == end || !alnum(text[i - 1]) || !alnum(text[i + 1])) return std::nullopt;
      continue;
    }
    out.push_back(text[i]);
  }
  return out;
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if ((c | 32) >= 'a' && (c | 32) <= 'z') return (c | 32) - 'a' + 10;
  return 99;
}

std::optional<int64_t> parse_integer(std::string_view text, int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  const auto cleaned = cleaned_number(text);
  if (!cleaned) return std::nullopt;
  std::string_view digits = *cleaned;
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.remove_prefix(1);
  }
  if (digits.size() > 2 && digits[0] == '0') {
    const char mark = char(digits[1] | 32);
    const int64_t marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0 && (base == 0 || base == marked)) {
      base = marked;
      digits.remove_prefix(2);
    }
  }
  if (base == 0) {
    base = 10;
    if (digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != std::string_view::npos)
      return std::nullopt;
  }
  if (digits.empty()) return std::nullopt;
  int64_t value = 0;
  for (const char c : digits) {
    const int digit = digit_value(c);
    if (digit >= base) return std::nullopt;
    if (__builtin_mul_overflow(value, base, &value) || __builtin_sub_overflow(value, int64_t(digit), &value)) {
      fail("an integer exceeds 64 bits");
    }
  }
  if (!negative && value == INT64_MIN) fail("an integer exceeds 64 bits");
  return negative ? value : -value;
}

std::optional<double> parse_float(std::string_view text) {
  const auto cleaned = cleaned_number(text);
  if (!cleaned || cleaned->empty()) return std::nullopt;
  const std::string& digits = *cleaned;
  const size_t sign = digits[0] == '-' || digits[0] == '+' ? 1 : 0;
  const std::string word = to_lower(std::string_view(digits).substr(sign));
  const bool named = word == "inf" || word == "infinity" || word == "nan";
  if (!named && digits.find_first_not_of("0123456789.eE+-") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (end != digits.c_str() + digits.size() || digits.size() == sign) return std::nullopt;
  return value;
}

Value filter_int(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("int", args, {"default", "base"});
  const Value otherwise = bound.get(0, Value::integer(0));
  if (self.is_wide()) return self;
  if (const auto i = self.index()) return Value::integer(*i);
  if (self.is_text()) {
    runtime.budget.step(int64_t(self.as_text().size() / 8));
    const std::optional<int64_t> base = bound.get(1, Value::integer(10)).index();
    const auto i = base ? parse_integer(self.as_text(), *base) : std::nullopt;
    if (i) return Value::integer(*i);
  }
  const auto number = to_float(self);
  if (self.is_float() && std::isinf(self.as_float())) fail("cannot convert float infinity to integer");
  if (!number || !std::isfinite(*number)) return otherwise;
  if (std::abs(*number) >= 9.2e18) fail("an integer exceeds 64 bits");
  return Value::integer(int64_t(*number));
}

Value filter_float(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("float", args, {"default"});
  if (self.is_text()) runtime.budget.step(int64_t(self.as_text().size() / 8));
  const auto number = to_float(self);
  return number ? Value::real(*number) : bound.get(0, Value::real(0));
}

Value filter_abs(Runtime&, const Value& self, Args& args) {
  Bound("abs", args, {});
  return absolute(self);
}

double rounded(double value, int64_t digits) {
  if (!std::isfinite(value) || digits > 300) return value;
  if (digits < -300) return std::copysign(0.0, value);
  if (digits >= 0) return std::strtod(fixed_or_exponent(value, 'f', digits, false).c_str(), nullptr);
  // Rounded in decimal: the digits before the point that stay are those of the exponent notation.
  const int64_t exponent = value == 0 ? 0 : int64_t(std::floor(std::log10(std::abs(value))));
  const int64_t kept = exponent + digits;
  if (kept < -1) return std::copysign(0.0, value);
  if (kept == -1) {
    const double unit = std::pow(10.0, double(-digits));
    return std::copysign(std::abs(value) > unit / 2 ? unit : 0.0, value);
  }
  return std::strtod(fixed_or_exponent(value, 'e', kept, false).c_str(), nullptr);
}

int64_t rounded_integer(int64_t value, int64_t digits) {
  if (digits >= 0) return value;
  if (digits < -18) return 0;
  int64_t unit = 1;
  for (int64_t i = 0; i < -digits; ++i) unit *= 10;
  int64_t down = value / unit * unit, rest = value - down;
  if (rest < 0) {
    rest += unit;
    if (__builtin_sub_overflow(down, unit, &down)) fail("an integer exceeds 64 bits");
  }
  const bool up = rest > unit - rest || (rest == unit - rest && (down / unit) % 2 != 0);
  if (up && __builtin_add_overflow(down, unit, &down)) fail("an integer exceeds 64 bits");
  return down;
}

Value filter_round(Runtime&, const Value& self, Args& args) {
  const Bound bound("round", args, {"precision", "method"});
  const int64_t precision = bound.integer(0, 0);
  const Value method = bound.get(1, Value::constant("common"));
  const std::string name = method.is_text() ? method.as_text() : "";
  if (name != "common" && name != "ceil" && name != "floor") fail("method must be common, ceil or floor");
  if (self.is_undefined()) fail_undefined(self);
  if (!self.is_number()) fail("type {} doesn't define __round__ method", type_name(self));
  if (name == "common") {
    if (self.is_float()) return Value::real(rounded(self.as_float(), precision));
    return self.is_wide() ? self : Value::integer(rounded_integer(*self.index(), precision));
  }
  const double scale = std::pow(10.0, double(precision));
  const double scaled = self.number() * scale;
  if (!std::isfinite(scaled) || scale == 0) fail("round: the number is out of range");
  return Value::real((name == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value filter_default(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("default", args, {"default_value", "boolean"});
  const bool replace = self.is_undefined() || (bound.truth(runtime, 1, false) && !truth(runtime, self));
  return replace ? bound.get(0, Value::constant("")) : self;
}

Value filter_attr(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("attr", args, {"name"}, 1);
  if (!bound[0]->is_text()) fail("attribute name must be string, not '{}'", type_name(*bound[0]));
  const std::string& name = bound[0]->as_text();
  if (self.is_undefined()) fail_undefined(self);
  if (!name.empty() && name[0] != '_') {
    if (auto found = find_attribute(runtime, self, name)) return std::move(*found);
  }
  return Value::undefined(nullptr, type_name(self));
}

constexpr BuiltinRow kFilters[] = {
    {"abs", filter_abs},     {"attr", filter_attr}, {"d", filter_default},   {"default", filter_default},
    {"float", filter_float}, {"int", filter_int},   {"round", filter_round},
};

}  // namespace

std::optional<double> to_float(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
  if (value.is_number()) return value.number();
  return value.is_text() ? parse_float(value.as_text()) : std::nullopt;
}

Builtin find_number_filter(std::string_view name) { return find_builtin(kFilters, name); }

Builtin find_filter(std::string_view name) {
  if (const Builtin found = find_text_filter(name)) return found;
  if (const Builtin found = find_sequence_filter(name)) return found;
  return find_number_filter(name);
}

}  // namespace paro::text::jinja
