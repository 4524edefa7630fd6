// format.format(...) and format(value, specification), the newer formatting language.
#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/format_number.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

// Walks over a {} format.
class BraceFormat {
 public:
  BraceFormat(Runtime& runtime, const Str& format, Args& args)
      : runtime_(runtime), args_(args), markup_(format.markup) {}

  std::string run(std::string_view text, int depth) {
    if (depth < 0) fail("Max string recursion exceeded");
    Text out(runtime_.budget);
    for (size_t at = 0; at < text.size();) {
      const char c = text[at];
      if (c != '{' && c != '}') {
        const size_t begin = at;
        at = std::min(text.find_first_of("{}", at), text.size());
        out.add(text.substr(begin, at - begin));
        continue;
      }
      if (at + 1 < text.size() && text[at + 1] == c) {
        out.add(c);
        at += 2;
        continue;
      }
      if (c == '}') fail("Single '}}' encountered in format string");
      const size_t begin = ++at;
      for (int open = 1; open > 0; ++at) {
        if (at >= text.size()) fail("expected '}}' before end of string");
        open += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
      }
      out.add(field(text.substr(begin, at - begin - 1), depth));
    }
    return out.take();
  }

 private:
  std::string field(std::string_view text, int depth) {
    size_t name_end = 0;
    for (bool in_brackets = false; name_end < text.size(); ++name_end) {
      const char c = text[name_end];
      if (c == '[') in_brackets = true;
      if (c == ']') in_brackets = false;
      if (!in_brackets && (c == ':' || c == '!')) break;
    }
    size_t at = name_end;
    char conversion = 0;
    if (at < text.size() && text[at] == '!') {
      if (at + 1 >= text.size()) fail("end of string while looking for conversion specifier");
      conversion = text[at + 1];
      at += 2;
      if (at < text.size() && text[at] != ':') fail("expected ':' after conversion specifier");
    }
    std::string spec;
    Value value = lookup(text.substr(0, name_end));
    if (at < text.size()) spec = run(text.substr(at + 1), depth - 1);
    switch (conversion) {
      case 0:
        break;
      case 's':
        value = make_text(runtime_, to_text(runtime_, value));
        break;
      case 'r':
        value = make_text(runtime_, repr(runtime_, value));
        break;
      case 'a':
        value = make_text(runtime_, ascii_repr(runtime_, value));
        break;
      default:
        fail("Unknown conversion specifier {}", conversion);
    }
    std::string out = format_value(runtime_, value, spec);
    const bool safe = value.is_text() && value.as_str().markup;
    return markup_ && !safe ? escape_html(runtime_.budget, out) : out;
  }

  Value lookup(std::string_view path) {
    const size_t end = std::min(path.find_first_of(".["), path.size());
    Value value = first(path.substr(0, end));
    for (size_t at = end; at < path.size();) {
      const bool attribute = path[at] == '.';
      if (!attribute && path[at] != '[') fail("Only '.' or '[' may follow ']' in format field specifier");
      const size_t begin = ++at;
      at = std::min(attribute ? path.find_first_of(".[", at) : path.find(']', at), path.size());
      const std::string key(path.substr(begin, at - begin));
      if (key.empty()) fail("Empty attribute in format string");
      if (attribute) {
        const Value name = make_text(runtime_, key);
        const Value found = get_attribute(runtime_, value, name.as_text());
        value = found.is_undefined() ? Value::undefined(nullptr, found.as_undefined().owner) : found;
        continue;
      }
      if (at >= path.size()) fail("Missing ']' in format string");
      ++at;
      const bool digits = key.find_first_not_of("0123456789") == std::string::npos && key.size() < 18;
      value = get_item(runtime_, value, digits ? Value::integer(std::stoll(key)) : make_text(runtime_, key));
    }
    return value;
  }

  Value first(std::string_view name) {
    size_t index = next_;
    if (name.empty()) {
      if (numbered_) fail("cannot switch from manual field specification to automatic field numbering");
      automatic_ = true;
      ++next_;
    } else if (name.find_first_not_of("0123456789") == std::string_view::npos) {
      if (automatic_) fail("cannot switch from automatic field numbering to manual field specification");
      numbered_ = true;
      size_t at = 0;
      index = size_t(read_number(name, at));
    } else {
      for (const auto& [key, value] : args_.named) {
        if (key == name) return value;
      }
      fail("key '{}' of a format string is missing", name);
    }
    if (index >= args_.positional.size()) fail("Replacement index {} out of range for positional args tuple", index);
    return args_.positional[index];
  }

  Runtime& runtime_;
  Args& args_;
  bool markup_;
  bool automatic_ = false, numbered_ = false;
  size_t next_ = 0;
};

bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

Layout read_layout(std::string_view spec) {
  Layout layout;
  size_t at = 0;
  if (!spec.empty()) {
    size_t next = 0;
    decode_at(spec, next);
    if (next < spec.size() && is_align(spec[next])) {
      layout.fill = std::string(spec.substr(0, next));
      layout.align = spec[next];
      at = next + 1;
    } else if (is_align(spec[0])) {
      layout.align = spec[0];
      at = 1;
    }
  }
  const auto take = [&](std::string_view set) {
    return at < spec.size() && set.find(spec[at]) != std::string_view::npos ? spec[at++] : char(0);
  };
  if (const char sign = take("+- ")) layout.sign = sign;
  take("z");
  layout.alternate = take("#") != 0;
  if (take("0") != 0 && layout.align == 0) {
    layout.align = '=';
    layout.fill = "0";
  }
  layout.width = read_number(spec, at);
  layout.grouping = take(",_");
  if (take(".") != 0) {
    const size_t begin = at;
    layout.precision = read_number(spec, at);
    if (at == begin) fail("Format specifier missing precision");
  }
  if (at < spec.size()) layout.type = spec[at++];
  if (at < spec.size()) fail("Invalid format specifier");
  return layout;
}

}  // namespace

Value brace_format(Runtime& runtime, const Str& format, Args& args) {
  return make_text(runtime, BraceFormat(runtime, format, args).run(format.text, 2), format.markup);
}

std::string format_value(Runtime& runtime, const Value& value, std::string_view spec) {
  if (spec.empty()) return to_text(runtime, value);
  Layout layout = read_layout(spec);
  const char type = layout.type;
  const auto is_one_of = [&](std::string_view types) {
    return type == 0 || types.find(type) != std::string_view::npos;
  };
  if (value.is_text()) {
    if (!is_one_of("s")) fail("Unknown format code '{}' for object of type 'str'", type);
    if (layout.sign != '-' || layout.alternate || layout.grouping != 0) fail("not allowed in string format specifier");
    if (layout.align == '=' && layout.fill == "0") layout.align = '<';
    if (layout.align == '=') fail("'=' alignment not allowed in string format specifier");
    const std::string& text = value.as_text();
    return pad_text(runtime.budget, layout.precision >= 0 ? first_code_points(text, layout.precision) : text, layout,
                    '<');
  }
  if (value.is_number() && !value.is_float() && is_one_of("dboxXcn")) {
    if (value.is_bool() && type == 0) return pad_text(runtime.budget, value.as_bool() ? "1" : "0", layout, '>');
    if (layout.precision >= 0) fail("Precision not allowed in integer format specifier");
    if (type == 'c') {
      std::string text;
      const auto i = value.index();
      if (!i || *i < 0 || *i >= 0x110000 || (*i >= 0xD800 && *i <= 0xDFFF)) fail("%c arg not in range(0x110000)");
      append_utf8(text, char32_t(*i));
      return pad_text(runtime.budget, text, layout, '<');
    }
    return lay_out_integer(runtime.budget, value, layout);
  }
  if (value.is_number()) {
    if (!is_one_of("eEfFgGn%")) fail("Unknown format code '{}' for object of type '{}'", type, type_name(value));
    return lay_out_float(runtime.budget, value.number(), layout);
  }
  fail("unsupported format string passed to {}.__format__", type_name(value));
}

}  // namespace paro::text::jinja
