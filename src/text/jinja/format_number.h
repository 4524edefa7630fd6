// Numbers and strings laid out by a specification of either formatting language: sign, width, precision, grouping.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace paro::text::jinja {

struct Layout {
  std::string fill = " ";
  char align = 0;  // < > ^ or = (between sign and digits); 0: the type's own
  char sign = '-';
  bool alternate = false;
  char grouping = 0;
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

// Widths, and precisions, of outside formats are bounded by these.
inline constexpr int64_t kMaxWidth = int64_t(1) << 30;
inline constexpr int64_t kMaxPrecision = 1000;

int64_t read_number(std::string_view text, size_t& at);  // digits at `at`, which moves behind them
std::string first_code_points(const std::string& text, int64_t n);
std::string digits_in_base(uint64_t value, unsigned base, bool upper);
std::string fixed_or_exponent(double value, char type, int64_t precision, bool alternate);
std::string lay_out_integer(Budget& budget, const Value& value, const Layout& layout);
std::string lay_out_float(Budget& budget, double value, const Layout& layout);
std::string pad_text(Budget& budget, const std::string& text, const Layout& layout, char default_align);

}  // namespace paro::text::jinja
