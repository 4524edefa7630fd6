// The methods of str that lay it out: padding to a width, tabs, and format.
#include "text/jinja/methods_text.h"

#include "text/jinja/format.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

enum class Side { left, center, right };

Value pad(Runtime& runtime, const Value& self, Args& args, std::string_view name, Side side) {
  const Bound bound(name, args, {"/width", "/fillchar"}, 1);
  const std::string fill = bound[1] != nullptr ? required_text(bound[1], "fill character") : " ";
  if (count_code_points(fill) != 1) fail("The fill character must be exactly one character long");
  const int64_t width = bound.integer(0, 0), length = self.as_str().length;
  if (width <= length) return self;
  const int64_t total = width - length;
  runtime.budget.product(total, int64_t(fill.size()));
  int64_t left = side == Side::right ? total : 0;
  if (side == Side::center) left = total / 2 + (total & width & 1);
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += self.as_text();
  for (int64_t i = left; i < total; ++i) out += fill;
  return like(runtime, self, std::move(out));
}

Value method_ljust(Runtime& runtime, const Value& self, Args& args) {
  return pad(runtime, self, args, "ljust", Side::left);
}
Value method_rjust(Runtime& runtime, const Value& self, Args& args) {
  return pad(runtime, self, args, "rjust", Side::right);
}
Value method_center(Runtime& runtime, const Value& self, Args& args) {
  return pad(runtime, self, args, "center", Side::center);
}

Value method_zfill(Runtime& runtime, const Value& self, Args& args) {
  const int64_t missing = Bound("zfill", args, {"/width"}, 1).integer(0, 0) - self.as_str().length;
  if (missing <= 0) return self;
  runtime.budget.bytes(missing);
  const std::string& text = self.as_text();
  const size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  return like(runtime, self, text.substr(0, sign) + std::string(size_t(missing), '0') + text.substr(sign));
}

Value method_expandtabs(Runtime& runtime, const Value& self, Args& args) {
  const int64_t size = Bound("expandtabs", args, {"tabsize"}).integer(0, 8);
  Text out(runtime.budget);
  int64_t column = 0;
  for (const char c : self.as_text()) {
    if (c == '\t') {
      if (size <= 0) continue;
      const int64_t spaces = size - column % size;
      runtime.budget.bytes(spaces);
      out.add(std::string(size_t(spaces), ' '));
      column += spaces;
      continue;
    }
    out.add(c);
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++column;
    if (c == '\n' || c == '\r') column = 0;
  }
  return like(runtime, self, out.take());
}

Value method_format(Runtime& runtime, const Value& self, Args& args) {
  return brace_format(runtime, self.as_str(), args);
}

Value method_format_map(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("format_map", args, {"/mapping"}, 1);
  if (!bound[0]->is_dict()) fail("format_map() expects a mapping, not {}", type_name(*bound[0]));
  Args named;
  for (const auto& [key, value] : bound[0]->as_dict().entries()) {
    if (key.is_text()) named.named.emplace_back(key.as_text(), value);
  }
  return brace_format(runtime, self.as_str(), named);
}

constexpr BuiltinRow kMethods[] = {
    {"center", method_center},         {"expandtabs", method_expandtabs}, {"format", method_format},
    {"format_map", method_format_map}, {"ljust", method_ljust},           {"rjust", method_rjust},
    {"zfill", method_zfill},
};

}  // namespace

Builtin find_layout_method(std::string_view name) { return find_builtin(kMethods, name); }

}  // namespace paro::text::jinja
