// format % values, the older formatting language.
#include <algorithm>
#include <cmath>

#include "text/jinja/format.h"
#include "text/jinja/format_number.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

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
    // What Python takes for a mapping may stay unused.
    const auto* object = values_.is_object() ? &values_.as_object() : nullptr;
    const bool may_be_left = values_.is_dict() || values_.is_undefined() || (values_.is_list() && !is_tuple) ||
                             (object != nullptr && object->indexable());
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
    if (peek() == '%') {
      ++at_;
      return out_.add('%');
    }
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

}  // namespace

Value percent_format(Runtime& runtime, const Str& format, const Value& values) {
  return PercentFormat(runtime, format, values).run();
}

}  // namespace paro::text::jinja
