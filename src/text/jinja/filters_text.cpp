// Filters that make text: case, trimming, joining, indenting, escaping, formatting, JSON.
#include <algorithm>
#include <cmath>

#include "text/jinja/filters.h"
#include "text/jinja/format.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

Value method(Runtime& runtime, const Value& self, std::string_view name, std::vector<Value> positional = {}) {
  Args args{std::move(positional), {}};
  return find_text_method(name)(runtime, as_text_value(runtime, self), args);
}

const Value& required_text(const Value& value, std::string_view what) {
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_text()) fail("{}: expected str, got {}", what, type_name(value));
  return value;
}

Value filter_upper(Runtime& runtime, const Value& self, Args& args) {
  Bound("upper", args, {});
  return method(runtime, self, "upper");
}

Value filter_lower(Runtime& runtime, const Value& self, Args& args) {
  Bound("lower", args, {});
  return method(runtime, self, "lower");
}

Value filter_capitalize(Runtime& runtime, const Value& self, Args& args) {
  Bound("capitalize", args, {});
  return method(runtime, self, "capitalize");
}

Value filter_title(Runtime& runtime, const Value& self, Args& args) {
  Bound("title", args, {});
  const Value text = as_text_value(runtime, self);
  const std::string& in = text.as_text();
  const auto starts_word = [](char32_t c) {
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c);
  };
  runtime.budget.step(int64_t(in.size() / 8));
  std::string out;
  for (size_t at = 0; at < in.size();) {
    // A piece is all separators or none; its first letter goes up, the rest down.
    const size_t begin = at;
    const bool separators = starts_word(decode_at(in, at));
    const size_t second = at;
    while (at < in.size()) {
      size_t next = at;
      if (starts_word(decode_at(in, next)) != separators) break;
      at = next;
    }
    out += to_upper(std::string_view(in).substr(begin, second - begin));
    out += to_lower(std::string_view(in).substr(second, at - second));
  }
  return make_text(runtime, std::move(out));
}

Value filter_trim(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("trim", args, {"chars"});
  return method(runtime, self, "strip", {bound.get(0, Value())});
}

Value filter_replace(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("replace", args, {"old", "new", "count"}, 2);
  const Value text = as_text_value(runtime, self), from = as_text_value(runtime, *bound[0]),
              to = as_text_value(runtime, *bound[1]);
  const int64_t limit = bound[2] == nullptr || bound[2]->is_none() ? -1 : bound.integer(2, -1);
  return make_text(runtime, replaced(runtime.budget, text.as_text(), from.as_text(), to.as_text(), limit));
}

Value filter_join(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("join", args, {"d", "attribute"});
  const std::string separator = bound[0] != nullptr ? to_text(runtime, *bound[0]) : "";
  const Value attribute = bound.get(1, Value());
  Text out(runtime.budget);
  bool first = true;
  const Ref<Generator> items = iterate(runtime, self);
  for (Value item; items->next(runtime, item);) {
    if (!first) out.add(separator);
    first = false;
    print(runtime, get_path(runtime, item, attribute), out);
  }
  return make_text(runtime, out.take());
}

Value filter_string(Runtime& runtime, const Value& self, Args& args) {
  Bound("string", args, {});
  return as_text_value(runtime, self);
}

Value filter_safe(Runtime& runtime, const Value& self, Args& args) {
  Bound("safe", args, {});
  return make_text(runtime, to_text(runtime, self), true);
}

Value filter_escape(Runtime& runtime, const Value& self, Args& args) {
  Bound("escape", args, {});
  if (self.is_text() && self.as_str().markup) return self;
  return make_text(runtime, escape_html(runtime.budget, to_text(runtime, self)), true);
}

Value filter_forceescape(Runtime& runtime, const Value& self, Args& args) {
  Bound("forceescape", args, {});
  return make_text(runtime, escape_html(runtime.budget, to_text(runtime, self)), true);
}

Value filter_format(Runtime& runtime, const Value& self, Args& args) {
  if (!args.positional.empty() && !args.named.empty()) {
    fail("can't handle positional and keyword arguments at the same time");
  }
  const Value text = as_text_value(runtime, self);
  if (args.named.empty()) return percent_format(runtime, text.as_str(), make_tuple(runtime, args.positional));
  const Ref<Dict> named = make_ref<Dict>();
  for (const auto& [name, value] : args.named) named->set(runtime.budget, make_text(runtime, name), value);
  return percent_format(runtime, text.as_str(), Value::dict(named));
}

Value filter_indent(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("indent", args, {"width", "first", "blank"});
  const Value& text = required_text(self, "indent");
  std::string indention(4, ' ');
  if (bound[0] != nullptr && bound[0]->is_text()) {
    indention = bound[0]->as_text();
  } else if (bound[0] != nullptr) {
    const int64_t width = std::max<int64_t>(bound.integer(0, 4), 0);
    runtime.budget.bytes(width);
    indention = std::string(size_t(width), ' ');
  }
  const bool first = bound.truth(runtime, 1, false), blank = bound.truth(runtime, 2, false);
  Args none;
  const Value source = make_text(runtime, text.as_text() + "\n");
  const Value lines = find_text_method("splitlines")(runtime, source, none);
  Text out(runtime.budget);
  bool is_first = true;
  for (const Value& line : lines.as_list().items) {
    if (!is_first) out.add('\n');
    if (is_first ? first : (blank || !line.as_text().empty())) out.add(indention);
    is_first = false;
    out.add(line.as_text());
  }
  return make_text(runtime, out.take(), text.as_str().markup);
}

Value filter_center(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("center", args, {"width"});
  return method(runtime, self, "center", {bound.get(0, Value::integer(80))});
}

Value filter_truncate(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("truncate", args, {"length", "killwords", "end", "leeway"});
  const Value end = bound.get(2, Value::constant("..."));
  const int64_t size = bound.integer(0, 255), end_size = required_text(end, "truncate").as_str().length;
  const int64_t leeway = bound[3] == nullptr || bound[3]->is_none() ? 5 : bound.integer(3, 5);
  if (size < end_size) fail("truncate: expected length >= {}, got {}", end_size, size);
  if (leeway < 0) fail("truncate: expected leeway >= 0, got {}", leeway);
  if (length(runtime, self) - leeway <= size) return self;
  const Value& text = required_text(self, "truncate");
  std::string cut = slice(runtime, text, Value(), Value::integer(size - end_size), Value()).as_text();
  if (!bound.truth(runtime, 1, false)) cut = cut.substr(0, std::min(cut.rfind(' '), cut.size()));
  return make_text(runtime, cut + end.as_text());
}

Value filter_wordcount(Runtime& runtime, const Value& self, Args& args) {
  Bound("wordcount", args, {});
  const Value text = as_text_value(runtime, self);
  runtime.budget.step(int64_t(text.as_text().size() / 8));
  int64_t n = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.as_text().size();) {
    const bool word = is_word(decode_at(text.as_text(), at));
    n += word && !in_word ? 1 : 0;
    in_word = word;
  }
  return Value::integer(n);
}

std::string quoted(Runtime& runtime, const Value& value, bool query) {
  const std::string text = to_text(runtime, value);
  Text out(runtime.budget);
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                       c == '.' || c == '-' || c == '~' || (c == '/' && !query);
    if (plain) {
      out.add(c);
    } else if (c == ' ' && query) {
      out.add('+');
    } else {
      out.add(fmt::format("%{:02X}", static_cast<unsigned char>(c)));
    }
  }
  return out.take();
}

Value filter_urlencode(Runtime& runtime, const Value& self, Args& args) {
  Bound("urlencode", args, {});
  if (self.is_text() || !is_iterable(runtime, self)) return make_text(runtime, quoted(runtime, self, false));
  Text out(runtime.budget);
  std::vector<Value> pairs;
  if (self.is_dict()) {
    for (const auto& [key, value] : self.as_dict().entries()) pairs.push_back(make_tuple(runtime, {key, value}));
  } else {
    pairs = collect(runtime, self);
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    const std::vector<Value> pair = collect(runtime, pairs[i]);
    if (pair.size() != 2) fail("urlencode: expected pairs, got {} values", pair.size());
    if (i > 0) out.add('&');
    out.add(quoted(runtime, pair[0], true));
    out.add('=');
    out.add(quoted(runtime, pair[1], true));
  }
  return make_text(runtime, out.take());
}

Value filter_filesizeformat(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("filesizeformat", args, {"binary"});
  const std::optional<double> number = to_float(self);
  if (!number) fail("filesizeformat: expected a number, got {}", type_name(self));
  const bool binary = bound.truth(runtime, 0, false);
  const double bytes = *number, base = binary ? 1024 : 1000;
  if (bytes == 1) return Value::constant("1 Byte");
  if (!std::isfinite(bytes)) fail("filesizeformat: expected a finite number");
  if (bytes < base) return make_text(runtime, fmt::format("{:.0f} Bytes", std::trunc(bytes) + 0.0));
  double unit = base;
  std::string_view prefixes = "kMGTPEZY";
  size_t i = 0;
  for (unit = base * base; bytes >= unit && i + 1 < prefixes.size(); ++i) unit *= base;
  const char prefix = binary && i == 0 ? 'K' : prefixes[i];
  return make_text(runtime, fmt::format("{:.1f} {}{}", base * bytes / unit, prefix, binary ? "iB" : "B"));
}

Value filter_tojson(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = bound.truth(runtime, 0, false);
  style.sort_keys = bound.truth(runtime, 3, false);
  if (bound[1] != nullptr && !bound[1]->is_none()) {
    if (bound[1]->is_text()) {
      style.indent = bound[1]->as_text();
    } else {
      const int64_t width = std::max<int64_t>(bound.integer(1, 0), 0);
      runtime.budget.bytes(width);
      style.indent = std::string(size_t(width), ' ');
    }
    style.item_separator = ",";
  }
  if (bound[2] != nullptr && !bound[2]->is_none()) {
    const std::vector<Value> separators = collect(runtime, *bound[2]);
    if (separators.size() != 2) fail("tojson: expected 2 separators, got {}", separators.size());
    style.item_separator = required_text(separators[0], "tojson: separators").as_text();
    style.key_separator = required_text(separators[1], "tojson: separators").as_text();
  }
  Text out(runtime.budget);
  write_json(runtime, self, style, out);
  return make_text(runtime, out.take());
}

constexpr BuiltinRow kFilters[] = {
    {"capitalize", filter_capitalize},
    {"center", filter_center},
    {"e", filter_escape},
    {"escape", filter_escape},
    {"filesizeformat", filter_filesizeformat},
    {"forceescape", filter_forceescape},
    {"format", filter_format},
    {"indent", filter_indent},
    {"join", filter_join},
    {"lower", filter_lower},
    {"replace", filter_replace},
    {"safe", filter_safe},
    {"string", filter_string},
    {"title", filter_title},
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"truncate", filter_truncate},
    {"upper", filter_upper},
    {"urlencode", filter_urlencode},
    {"wordcount", filter_wordcount},
};

}  // namespace

Builtin find_text_filter(std::string_view name) { return find_builtin(kFilters, name); }

}  // namespace paro::text::jinja
