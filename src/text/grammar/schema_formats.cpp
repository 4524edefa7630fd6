#include <string>
#include <vector>

#include "text/grammar/schema_constraints.h"

namespace paro::text {
namespace {

struct Format {
  std::string_view name;
  std::string pattern;
};

std::string replaced(std::string text, std::string_view name, std::string_view by) {
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + by.size())) {
    text.replace(at, name.size(), by);
  }
  return text;
}

// Up to seven groups of which some stand left of the "::", or eight without it; the last two may be an IPv4 address.
std::string ipv6(const std::string& ipv4) {
  const std::string group = "[0-9A-Fa-f]{1,4}";
  std::string out = "(?:GROUP:){7}GROUP|(?:GROUP:){6}V4";
  for (int n_left = 0; n_left <= 7; ++n_left) {
    const int n_right = 7 - n_left;
    out += n_left == 0 ? "|::" : fmt::format("|(?:GROUP:){{{}}}GROUP::", n_left - 1);
    std::string right;
    if (n_right >= 1) right = fmt::format("(?:GROUP:){{0,{}}}GROUP", n_right - 1);
    if (n_right >= 2) right += fmt::format("|(?:GROUP:){{0,{}}}V4", n_right - 2);
    if (!right.empty()) out += "(?:" + right + ")?";
  }
  return "(?:" + replaced(replaced(out, "GROUP", group), "V4", ipv4) + ")";
}

std::vector<Format> make_formats() {
  // Dates know the months' lengths and leap years; there are no leap seconds.
  const std::string leap_year = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
  const std::string date =
      "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"
      "02-(?:0[1-9]|1[0-9]|2[0-8]))|" +
      leap_year + "-02-29)";
  const std::string time =
      "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?"
      "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
  const std::string duration = replaced(replaced("P(?:NW|(?:NY(?:NM(?:ND)?)?|NM(?:ND)?|ND)(?:CLOCK)?|CLOCK)", "CLOCK",
                                                 "T(?:NH(?:Nm(?:NS)?)?|Nm(?:NS)?|NS)"),
                                        "N", "[0-9]{1,9}");
  const std::string ipv4 = replaced("(?:BYTE\\.){3}BYTE", "BYTE", "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])");
  const std::string label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
  const std::string hostname = label + "(?:\\." + label + "){0,24}";
  const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  return {
      {"date", date},
      {"time", time},
      {"date-time", date + "[Tt]" + time},
      {"duration", replaced(duration, "m", "M")},
      {"uuid", "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"},
      {"ipv4", ipv4},
      {"ipv6", ipv6(ipv4)},
      {"hostname", hostname},
      {"email", atom + "(?:\\." + atom + ")*@" + hostname},
      {"uri", "[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"},
      {"json-pointer", "(?:/(?:[^~/]|~[01])*)*"},
  };
}

}  // namespace

std::string format_pattern(std::string_view format) {
  static const std::vector<Format> kFormats = make_formats();
  for (const Format& known : kFormats) {
    if (known.name == format) return "^(?:" + known.pattern + ")$";
  }
  return {};
}

}  // namespace paro::text
