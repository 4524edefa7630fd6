#include "cli/byte_size.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <string>

#include "base/error.h"

namespace paro::cli {
namespace {

struct Unit {
  std::string_view name;  // in lower case
  double n_bytes;
};

constexpr Unit kUnits[] = {
    {"", 1},     {"b", 1},      {"k", 0x1p10},   {"kib", 0x1p10}, {"kb", 1e3},   {"m", 0x1p20},   {"mib", 0x1p20},
    {"mb", 1e6}, {"g", 0x1p30}, {"gib", 0x1p30}, {"gb", 1e9},     {"t", 0x1p40}, {"tib", 0x1p40}, {"tb", 1e12},
};

}  // namespace

int64_t parse_byte_size(std::string_view flag, std::string_view text, int64_t whole_bytes) {
  const auto fail = [&](std::string_view why) {
    return Error(ErrorKind::usage, "{} is '{}', {}; expected a size such as 8GiB, 500MiB or 50%", flag, text, why);
  };
  // An unsigned decimal number: from_chars of floating point would take 1e9 and inf as well.
  size_t n_digits = 0;
  while (n_digits < text.size() && (std::isdigit(static_cast<unsigned char>(text[n_digits])) || text[n_digits] == '.'))
    ++n_digits;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + n_digits, number, std::chars_format::fixed);
  if (n_digits == 0 || error != std::errc() || end != text.data() + n_digits) throw fail("which begins with no number");

  std::string unit;
  for (const char c : text.substr(n_digits)) {
    if (c == ' ' && unit.empty()) continue;
    unit += char(std::tolower(static_cast<unsigned char>(c)));
  }
  if (unit == "%") {
    if (!(number > 0 && number <= 100)) throw fail("which is no part of a whole");
    return int64_t(double(whole_bytes) * number / 100);
  }
  for (const Unit& known : kUnits) {
    if (known.name != unit) continue;
    const double n_bytes = std::floor(number * known.n_bytes);
    if (n_bytes < 1) throw fail("which is nothing");
    if (n_bytes >= 0x1p62) throw fail("which is more than any machine has");
    return int64_t(n_bytes);
  }
  throw fail("whose unit is not known");
}

}  // namespace paro::cli
