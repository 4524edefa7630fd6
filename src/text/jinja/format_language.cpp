// Python's two formatting languages: format % values and format.format(...).
#include <algorithm>
#include <cmath>

#include "text/jinja/format.h"
#include "text/jinja/format_number.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

constexpr int64_t kMaxWidth = int64_t(1) << 30;

int64_t read_number(std::string_view text, size_t& at) {
  int64_t value = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    value = value * 10 + (text[at] - '0');
    if (value > kMaxWidth) fail("a number in a format string is too large");
  }
  return value;
}

std::string ascii_repr(Runtime& runtime, const Value& value) {
  const std::string text = repr(runtime, value);
  Text out(runtime.budget);
  for (size_t at = 0; at < text.size();) {
    const char32_t c = decode_at(text, at);
    if (c < 0x80) {
      out.add(char(c));
    } else {
      out.add(c < 0x100     ? fmt::format("\\x{:02x}", uint32_t(c))
              : c < 0x10000 ? fmt::format("\\u{:04x}", uint32_t(c))
                            : fmt::format("\\U{:08x}", uint32_t(c)));
    }
  }
  return out.take();
}

std::string first_code_points(const std::string& text, int64_t n) {
  size_t at = 0;
  for (int64_t i = 0; i < n && at < text.size(); ++i) decode_at(text, at);
  return text.substr(0, at);
}

// A float is cut to an integer for %d.
Value to_integer(const Value& value, char type) {
  if (value.is_undefined()) fail("%{} format: a real number is required, not Undefined", type);
  if (value.is_float() && (type == 'd' || type == 'i' || type == 'u')) {
    const double d = std::trunc(value.as_float());
    if (!(std::abs(d) < 9.2e18)) fail("an integer exceeds 64 bits");
    return Value::integer(int64_t(d));
  }
  if (value.is_float()) fail("%{} format: an integer is required, not float", type);
  if (!value.is_number()) fail("%{} format: a real number is required, not {}", type, type_name(value));
  return value;
}

// Walks over a % format and takes the values one by one.
class PercentFormat {
 public:
  PercentFormat(Runtime& runtime, const Str& format, const Value& values)
      : runtime_(runtime), format_(format), values_(values), out_(runtime.budget) {}

  Value run() {
    const std::string& text = format_.text;
    while (at_ < text.size()) {
      const size_t begin = at_;
      at_ = std::min(text.find('%', at_), text.size());
      out_.add(std::string_view(text).substr(begin, at_ - begin));
      if (at_ < text.size()) conversion();
    }
    const bool is_tuple = values_.is_list() && values_.as_list().is_tuple;
    const size_t n = is_tuple ? values_.as_list().items.size() : 1;
    const bool may_be_left = values_.is_dict() || (values_.is_list() && !is_tuple);
    if (taken_ < n && !may_be_left) fail("not all arguments converted during string formatting");
    return make_text(runtime_, out_.take(), format_.markup);
  }

 private:
  Value take() {
    if (values_.is_list() && values_.as_list().is_tuple) {
      if (taken_ >= values_.as_list().items.size()) fail("not enough arguments for format string");
      return values_.as_list().items[taken_++];
    }
    if (taken_++ > 0) fail("not enough arguments for format string");
    return values_;
  }

  char peek() const {
    if (at_ >= format_.text.size()) fail("incomplete format");
    return format_.text[at_];
  }

  void conversion() {
    ++at_;
    std::optional<Value> value;
    if (peek() == '(') {
      if (!values_.is_dict()) fail("format requires a mapping");
      const size_t begin = ++at_;
      int open = 1;
      for (; open > 0; ++at_) open += peek() == '(' ? 1 : peek() == ')' ? -1 : 0;
      const std::string key = format_.text.substr(begin, at_ - begin - 1);
      const Value* found = values_.as_dict().find(key);
      if (found == nullptr) fail("key '{}' of a format string is missing", key);
      value = *found;
      taken_ = 1;
    }
    Layout layout;
    bool zero = false;
    for (;; ++at_) {
      const char c = peek();
      if (c == '-') {
        layout.align = '<';
      } else if (c == '+') {
        layout.sign = '+';
      } else if (c == ' ') {
        if (layout.sign != '+') layout.sign = ' ';
      } else if (c == '#') {
        layout.alternate = true;
      } else if (c == '0') {
        zero = true;
      } else {
        break;
      }
    }
    if (peek() == '*') {
      ++at_;
      const Value width = take();
      if (!width.index()) fail("* wants int");
      layout.width = *width.index();
      if (layout.width < 0) {
        layout.align = '<';
        layout.width = layout.width < -kMaxWidth ? kMaxWidth : -layout.width;
      }
    } else {
      layout.width = read_number(format_.text, at_);
    }
    if (peek() == '.') {
      ++at_;
      if (peek() == '*') {
        ++at_;
        const Value precision = take();
        if (!precision.index()) fail("* wants int");
        layout.precision = std::max<int64_t>(*precision.index(), 0);
      } else {
        layout.precision = read_number(format_.text, at_);
      }
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    const char type = peek();
    ++at_;
    if (type == '%') return out_.add('%');
    if (!value) value = take();
    out_.add(converted(*value, layout, type, zero));
  }

  std::string converted(const Value& value, Layout layout, char type, bool zero) {
    const bool numeric = std::string_view("diuxXoeEfFgG").find(type) != std::string_view::npos;
    if (zero && numeric && layout.align == 0) {
      layout.align = '=';
      layout.fill = "0";
    }
    switch (type) {
      case 's':
      case 'r':
      case 'a': {
        std::string text = type == 's'   ? to_text(runtime_, value)
                           : type == 'r' ? repr(runtime_, value)
                                         : ascii_repr(runtime_, value);
        if (format_.markup && !(type == 's' && value.is_text() && value.as_str().markup)) {
          text = escape_html(runtime_.budget, text);
        }
        if (layout.precision >= 0) text = first_code_points(text, layout.precision);
        return pad_text(runtime_.budget, text, layout, '>');
      }
      case 'c': {
        std::string text;
        if (value.is_text() && value.as_str().length == 1) {
          text = value.as_text();
        } else if (const auto i = value.index(); i && *i >= 0 && *i < 0x110000 && (*i < 0xD800 || *i > 0xDFFF)) {
          append_utf8(text, char32_t(*i));
        } else {
          fail("%c requires int or char");
        }
        return pad_text(runtime_.budget, text, layout, '>');
      }
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o': {
        layout.type = type == 'i' || type == 'u' ? 'd' : type;
        const Value integer = to_integer(value, type);
        if (layout.precision >= 0) {  // a least number of digits
          if (layout.precision > kMaxPrecision) fail("a precision of {} is too large", layout.precision);
          Layout digits = layout;
          digits.align = '=';
          digits.fill = "0";
          const bool negative = !integer.is_wide() && *integer.index() < 0;
          digits.width = layout.precision + (negative || layout.sign != '-' ? 1 : 0) +
                         (layout.alternate && layout.type != 'd' ? 2 : 0);
          return pad_text(runtime_.budget, lay_out_integer(runtime_.budget, integer, digits), layout, '>');
        }
        return lay_out_integer(runtime_.budget, integer, layout);
      }
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (!value.is_number()) fail("must be real number, not {}", type_name(value));
        layout.type = type;
        return lay_out_float(runtime_.budget, value.number(), layout);
      default:
        fail("unsupported format character '{}'", type);
    }
  }

  Runtime& runtime_;
  const Str& format_;
  const Value& values_;
  Text out_;
  size_t at_ = 0;
  size_t taken_ = 0;
};

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

Value percent_format(Runtime& runtime, const Str& format, const Value& values) {
  return PercentFormat(runtime, format, values).run();
}

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
