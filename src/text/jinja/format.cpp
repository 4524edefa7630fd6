#include "text/jinja/format.h"

#include <charconv>
#include <cmath>

#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

void repr_text(std::string_view text, Text& out) {
  const char quote = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
  out.add(quote);
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = decode_at(text, at);
    if (c == char32_t(quote) || c == '\\') {
      out.add('\\');
      out.add(char(c));
    } else if (c == '\n') {
      out.add("\\n");
    } else if (c == '\r') {
      out.add("\\r");
    } else if (c == '\t') {
      out.add("\\t");
    } else if (c >= 0x20 && c < 0x7F) {
      out.add(char(c));
    } else if (is_printable(c)) {
      out.add(text.substr(begin, at - begin));
    } else if (c < 0x100) {
      out.add(fmt::format("\\x{:02x}", uint32_t(c)));
    } else if (c < 0x10000) {
      out.add(fmt::format("\\u{:04x}", uint32_t(c)));
    } else {
      out.add(fmt::format("\\U{:08x}", uint32_t(c)));
    }
  }
  out.add(quote);
}

void repr_list(Runtime& runtime, const List& list, Text& out) {
  out.add(list.is_tuple ? '(' : '[');
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.add(", ");
    repr(runtime, list.items[i], out);
  }
  if (list.is_tuple && list.items.size() == 1) out.add(',');
  out.add(list.is_tuple ? ')' : ']');
}

void repr_dict(Runtime& runtime, const Dict& dict, Text& out) {
  out.add('{');
  bool first = true;
  for (const auto& [key, value] : dict.entries()) {
    if (!first) out.add(", ");
    first = false;
    repr(runtime, key, out);
    out.add(": ");
    repr(runtime, value, out);
  }
  out.add('}');
}

}  // namespace

// The shortest digits that read back as the same number, in the notation that Python chooses.
std::string float_repr(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d > 0 ? "inf" : "-inf";
  char buffer[40];
  const auto [end, status] = std::to_chars(buffer, buffer + sizeof(buffer), d, std::chars_format::scientific);
  const std::string_view text(buffer, size_t(end - buffer));
  const size_t e = text.find('e');
  int exponent = 0;
  const char* digits_of_exponent = text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0);
  std::from_chars(digits_of_exponent, text.data() + text.size(), exponent);
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits.push_back(c);
  }
  std::string out = std::signbit(d) ? "-" : "";
  const int n = int(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (n > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return out + "0." + std::string(size_t(-exponent - 1), '0') + digits;
  if (n <= exponent + 1) return out + digits + std::string(size_t(exponent + 1 - n), '0') + ".0";
  return out + digits.substr(0, size_t(exponent + 1)) + "." + digits.substr(size_t(exponent + 1));
}

void repr(Runtime& runtime, const Value& value, Text& out) {
  runtime.budget.step();
  const Budget::Level level(runtime.budget);
  if (value.is_text()) {
    if (value.as_str().markup) out.add("Markup(");
    repr_text(value.as_text(), out);
    if (value.as_str().markup) out.add(')');
  } else if (value.is_list()) {
    repr_list(runtime, value.as_list(), out);
  } else if (value.is_dict()) {
    repr_dict(runtime, value.as_dict(), out);
  } else if (value.is_object()) {
    value.as_object().repr(runtime, out);
  } else if (value.is_none()) {
    out.add("None");
  } else if (value.is_bool()) {
    out.add(value.as_bool() ? "True" : "False");
  } else if (value.is_wide()) {
    out.add(std::to_string(value.as_wide()));
  } else if (value.is_int()) {
    out.add(std::to_string(*value.index()));
  } else if (value.is_float()) {
    out.add(float_repr(value.as_float()));
  } else {
    out.add("Undefined");
  }
}

std::string repr(Runtime& runtime, const Value& value) {
  Text out(runtime.budget);
  repr(runtime, value, out);
  return out.take();
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

void print(Runtime& runtime, const Value& value, Text& out) {
  if (value.is_text()) return out.add(value.as_text());
  if (value.is_undefined()) return;
  repr(runtime, value, out);
}

std::string to_text(Runtime& runtime, const Value& value) {
  Text out(runtime.budget);
  print(runtime, value, out);
  return out.take();
}

Value as_text_value(Runtime& runtime, const Value& value) {
  return value.is_text() ? value : make_text(runtime, to_text(runtime, value));
}

std::string escape_html(Budget& budget, std::string_view text) {
  Text out(budget);
  for (const char c : text) {
    switch (c) {
      case '&':
        out.add("&amp;");
        break;
      case '<':
        out.add("&lt;");
        break;
      case '>':
        out.add("&gt;");
        break;
      case '\'':
        out.add("&#39;");
        break;
      case '"':
        out.add("&#34;");
        break;
      default:
        out.add(c);
    }
  }
  return out.take();
}

}  // namespace paro::text::jinja
