#include "text/jinja/format_number.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text/jinja/format.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

std::string grouped(const std::string& digits, char separator, size_t every) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) out.push_back(separator);
    out.push_back(digits[i]);
  }
  return out;
}

// sign + prefix, then the digits and what follows them, padded to the width.
std::string place(Budget& budget, const std::string& sign, std::string digits, const std::string& rest,
                  const Layout& layout, size_t every) {
  const char align = layout.align != 0 ? layout.align : '>';
  // Zeros put before the digits are grouped with them.
  if (layout.grouping != 0 && align == '=' && layout.fill == "0") {
    budget.bytes(std::max<int64_t>(layout.width, 0));
    while (int64_t(sign.size() + grouped(digits, layout.grouping, every).size() + rest.size()) < layout.width) {
      budget.step(int64_t(digits.size() / 8) + 1);
      digits.insert(digits.begin(), '0');
    }
  }
  if (layout.grouping != 0) digits = grouped(digits, layout.grouping, every);
  const std::string body = digits + rest;
  if (align != '=') return pad_text(budget, sign + body, layout, '>');
  Layout inner = layout;
  inner.align = '>';
  inner.width = layout.width - int64_t(sign.size());
  return sign + pad_text(budget, body, inner, '>');
}

std::string sign_of(bool negative, char sign) {
  if (negative) return "-";
  return sign == '+' ? "+" : sign == ' ' ? " " : "";
}

}  // namespace

int64_t read_number(std::string_view text, size_t& at) {
  int64_t value = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    value = value * 10 + (text[at] - '0');
    if (value > kMaxWidth) fail("a number in a format string is too large");
  }
  return value;
}

std::string first_code_points(const std::string& text, int64_t n) {
  size_t at = 0;
  for (int64_t i = 0; i < n && at < text.size(); ++i) decode_at(text, at);
  return text.substr(0, at);
}

std::string digits_in_base(uint64_t value, unsigned base, bool upper) {
  std::string out;
  do {
    const unsigned digit = unsigned(value % base);
    out.push_back(char(digit < 10 ? '0' + digit : (upper ? 'A' : 'a') + digit - 10));
    value /= base;
  } while (value != 0);
  std::reverse(out.begin(), out.end());
  return out;
}

std::string fixed_or_exponent(double value, char type, int64_t precision, bool alternate) {
  if (precision > kMaxPrecision) fail("a precision of {} is more than {}", precision, kMaxPrecision);
  const char* format = nullptr;
  switch (type) {
    case 'e':
      format = alternate ? "%#.*e" : "%.*e";
      break;
    case 'E':
      format = alternate ? "%#.*E" : "%.*E";
      break;
    case 'F':
    case 'f':
      format = alternate ? "%#.*f" : "%.*f";
      break;
    case 'G':
      format = alternate ? "%#.*G" : "%.*G";
      break;
    default:
      format = alternate ? "%#.*g" : "%.*g";
      break;
  }
  char buffer[400 + kMaxPrecision];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const int n = std::snprintf(buffer, sizeof(buffer), format, int(precision), value);
#pragma GCC diagnostic pop
  return std::string(buffer, size_t(std::clamp<int>(n, 0, int(sizeof(buffer)) - 1)));
}

std::string lay_out_integer(Budget& budget, const Value& value, const Layout& layout) {
  const int64_t i = value.index().value_or(0);
  const bool negative = !value.is_wide() && i < 0;
  const uint64_t magnitude = value.is_wide() ? value.as_wide() : negative ? uint64_t(0) - uint64_t(i) : uint64_t(i);
  std::string sign = sign_of(negative, layout.sign), digits;
  size_t every = 4;
  switch (layout.type) {
    case 'x':
    case 'X':
      digits = digits_in_base(magnitude, 16, layout.type == 'X');
      if (layout.alternate) sign += layout.type == 'X' ? "0X" : "0x";
      break;
    case 'o':
      digits = digits_in_base(magnitude, 8, false);
      if (layout.alternate) sign += "0o";
      break;
    case 'b':
      digits = digits_in_base(magnitude, 2, false);
      if (layout.alternate) sign += "0b";
      break;
    default:
      digits = std::to_string(magnitude);
      every = 3;
  }
  return place(budget, sign, digits, "", layout, every);
}

std::string lay_out_float(Budget& budget, double value, const Layout& layout) {
  const std::string sign = sign_of(std::signbit(value) && !std::isnan(value), layout.sign);
  double magnitude = std::abs(value);
  std::string text;
  const bool upper = layout.type == 'E' || layout.type == 'F' || layout.type == 'G';
  if (!std::isfinite(value)) {
    text = std::isnan(value) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
  } else if (layout.type == 0 && layout.precision < 0) {
    text = float_repr(magnitude);
  } else if (layout.type == 0) {
    // As g, but with at least one digit behind the point, and an exponent one digit earlier.
    const int64_t precision = std::max<int64_t>(layout.precision, 1);
    text = fixed_or_exponent(magnitude, 'g', precision, layout.alternate);
    if (text.find_first_of(".e") == std::string::npos) {
      if (int64_t(text.size()) >= precision && magnitude != 0) {
        text = fixed_or_exponent(magnitude, 'e', precision - 1, layout.alternate);
        const size_t e = text.find('e');
        size_t end = text.find('.') == std::string::npos ? e : e;
        while (end > 1 && text.find('.') < end && (text[end - 1] == '0' || text[end - 1] == '.')) {
          const bool point = text[end - 1] == '.';
          --end;
          if (point) break;
        }
        text = text.substr(0, end) + text.substr(e);
      } else {
        text += ".0";
      }
    }
  } else if (layout.type == '%') {
    magnitude *= 100;
    text = fixed_or_exponent(magnitude, 'f', layout.precision < 0 ? 6 : layout.precision, layout.alternate) + "%";
  } else {
    const bool general = layout.type == 'g' || layout.type == 'G' || layout.type == 'n';
    const int64_t precision = layout.precision < 0 ? 6 : general && layout.precision == 0 ? 1 : layout.precision;
    text = fixed_or_exponent(magnitude, layout.type == 'n' ? 'g' : layout.type, precision, layout.alternate);
  }
  const size_t whole = std::min(text.find_first_not_of("0123456789"), text.size());
  return place(budget, sign, text.substr(0, whole), text.substr(whole), layout, 3);
}

std::string pad_text(Budget& budget, const std::string& text, const Layout& layout, char default_align) {
  const int64_t missing = layout.width - count_code_points(text);
  if (missing <= 0) return text;
  budget.product(missing, int64_t(layout.fill.size()));
  const char align = layout.align != 0 ? layout.align : default_align;
  const int64_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += layout.fill;
  out += text;
  for (int64_t i = left; i < missing; ++i) out += layout.fill;
  return out;
}

}  // namespace paro::text::jinja
