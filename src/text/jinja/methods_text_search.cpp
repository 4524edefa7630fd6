// The methods of str that look for other text: find, index, count, startswith and their kin, and replace.
#include "text/jinja/methods_text.h"

#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

int64_t byte_offset(const Str& text, int64_t index) {
  if (text.ascii()) return std::min<int64_t>(index, text.length);
  size_t at = 0;
  for (int64_t i = 0; i < index && at < text.text.size(); ++i) decode_at(text.text, at);
  return int64_t(at);
}

// The part of a string that find, count, startswith ... look at, as bytes [begin, end).
struct Part {
  size_t begin, end;
  bool valid;  // false: start is behind end, where even "" is not found
};

Part part_of(const Str& text, const Bound& args, size_t first) {
  const auto place = [&](size_t i, int64_t otherwise) {
    if (args[i] == nullptr || args[i]->is_none()) return otherwise;
    const int64_t at = args.integer(i, 0);
    return at < 0 ? std::max<int64_t>(at + text.length, 0) : at;
  };
  const int64_t begin = place(first, 0), end = std::min(place(first + 1, text.length), text.length);
  return {size_t(byte_offset(text, begin)), size_t(byte_offset(text, end)), begin <= end};
}

bool has_affix(const std::string_view part, const Value& affix, bool at_start, std::string_view name) {
  if (affix.is_list() && affix.as_list().is_tuple) {
    for (const Value& one : affix.as_list().items) {
      if (!one.is_text()) fail("tuple for {} must only contain str, not {}", name, type_name(one));
      if (has_affix(part, one, at_start, name)) return true;
    }
    return false;
  }
  if (affix.is_undefined()) fail("{} first arg must be str or a tuple of str, not Undefined", name);
  if (!affix.is_text()) fail("{} first arg must be str or a tuple of str, not {}", name, type_name(affix));
  const std::string& text = affix.as_text();
  if (text.size() > part.size()) return false;
  return at_start ? part.substr(0, text.size()) == text : part.substr(part.size() - text.size()) == text;
}

Value affix_test(Runtime& runtime, const Value& self, Args& args, bool at_start) {
  const std::string_view name = at_start ? "startswith" : "endswith";
  const Bound bound(name, args, {"/affix", "/start", "/end"}, 1);
  runtime.budget.step(1 + (bound[1] != nullptr ? self.as_str().length / 16 : 0));
  const Part part = part_of(self.as_str(), bound, 1);
  if (!part.valid) return Value::boolean(false);
  return Value::boolean(
      has_affix(std::string_view(self.as_text()).substr(part.begin, part.end - part.begin), *bound[0], at_start, name));
}

Value method_startswith(Runtime& runtime, const Value& self, Args& args) {
  return affix_test(runtime, self, args, true);
}
Value method_endswith(Runtime& runtime, const Value& self, Args& args) {
  return affix_test(runtime, self, args, false);
}

int64_t find(Runtime& runtime, const Value& self, Args& args, bool from_right, std::string_view name) {
  const Bound bound(name, args, {"/sub", "/start", "/end"}, 1);
  const std::string& sub = required_text(bound[0], "argument 1");
  const Str& text = self.as_str();
  runtime.budget.step(int64_t(text.text.size() / 16));
  const Part part = part_of(text, bound, 1);
  if (!part.valid) return -1;
  const std::string_view view = std::string_view(text.text).substr(part.begin, part.end - part.begin);
  const size_t at = from_right ? view.rfind(sub) : view.find(sub);
  if (at == std::string_view::npos) return -1;
  return count_code_points(std::string_view(text.text).substr(0, part.begin + at));
}

Value method_find(Runtime& runtime, const Value& self, Args& args) {
  return Value::integer(find(runtime, self, args, false, "find"));
}
Value method_rfind(Runtime& runtime, const Value& self, Args& args) {
  return Value::integer(find(runtime, self, args, true, "rfind"));
}
Value method_index(Runtime& runtime, const Value& self, Args& args) {
  const int64_t at = find(runtime, self, args, false, "index");
  if (at < 0) fail("substring not found");
  return Value::integer(at);
}
Value method_rindex(Runtime& runtime, const Value& self, Args& args) {
  const int64_t at = find(runtime, self, args, true, "rindex");
  if (at < 0) fail("substring not found");
  return Value::integer(at);
}

Value method_count(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("count", args, {"/sub", "/start", "/end"}, 1);
  const std::string& sub = required_text(bound[0], "argument 1");
  const Str& text = self.as_str();
  runtime.budget.step(int64_t(text.text.size() / 16));
  const Part part = part_of(text, bound, 1);
  if (!part.valid) return Value::integer(0);
  const std::string_view view = std::string_view(text.text).substr(part.begin, part.end - part.begin);
  if (sub.empty()) return Value::integer(count_code_points(view) + 1);
  int64_t n = 0;
  for (size_t at = view.find(sub); at != std::string_view::npos; at = view.find(sub, at + sub.size())) ++n;
  return Value::integer(n);
}

Value method_replace(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("replace", args, {"/old", "/new", "/count"}, 2);
  const std::string& from = required_text(bound[0], "replace() argument 1");
  std::string to = required_text(bound[1], "replace() argument 2");
  if (self.as_str().markup && !bound[1]->as_str().markup) to = escape_html(runtime.budget, to);
  return like(runtime, self, replaced(runtime.budget, self.as_text(), from, to, bound.integer(2, -1)));
}

constexpr BuiltinRow kMethods[] = {
    {"count", method_count},   {"endswith", method_endswith},     {"find", method_find},
    {"index", method_index},   {"replace", method_replace},       {"rfind", method_rfind},
    {"rindex", method_rindex}, {"startswith", method_startswith},
};

}  // namespace

Builtin find_search_method(std::string_view name) { return find_builtin(kMethods, name); }

}  // namespace paro::text::jinja
