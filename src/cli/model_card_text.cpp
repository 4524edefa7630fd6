#include "cli/model_card_text.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>
#include <vector>

#include "engine/memory_report.h"

namespace paro::cli {
namespace {

namespace json = boost::json;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20; }

std::string named(std::string_view key, const json::value& item);

std::string line(const json::value& value) {
  if (value.is_string()) {
    const std::string_view text = value.get_string();
    // Files may hold text that a terminal would obey.
    return std::any_of(text.begin(), text.end(), is_control) ? json::serialize(value) : std::string(text);
  }
  if (value.is_bool()) return value.get_bool() ? "yes" : "no";
  if (value.is_double()) return fmt::format("{:g}", value.get_double());
  std::vector<std::string> parts;
  if (value.is_object()) {
    for (const auto& [key, item] : value.get_object()) parts.push_back(named(key, item));
  } else if (value.is_array()) {
    for (const json::value& item : value.get_array()) parts.push_back(line(item));
  } else {
    return json::serialize(value);
  }
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

// "1.25 GiB" for `bytes`, "1.25 GiB dense" for `dense bytes`, "6 layers" for `layers`.
std::string named(std::string_view key, const json::value& item) {
  constexpr std::string_view kBytes = "bytes";
  if (key.ends_with(kBytes)) {
    key.remove_suffix(std::min(key.size(), kBytes.size() + 1));
    return fmt::format("{}{}{}", format_bytes(item.to_number<int64_t>()), key.empty() ? "" : " ", key);
  }
  return item.is_number() && key != "id" ? fmt::format("{} {}", line(item), key) : line(item);
}

// A line for each object, members below each other.
std::string table(const json::array& rows) {
  std::vector<size_t> widths;
  std::vector<std::vector<std::string>> cells;
  for (const json::value& row : rows) {
    std::vector<std::string>& cell = cells.emplace_back();
    for (const auto& [key, item] : row.get_object()) {
      cell.push_back(named(key, item));
      if (widths.size() < cell.size()) widths.push_back(0);
      widths[cell.size() - 1] = std::max(widths[cell.size() - 1], cell.back().size());
    }
  }
  std::string out;
  for (const auto& cell : cells) {
    for (size_t i = 0; i < cell.size(); ++i)
      out += fmt::format("  {:<{}}", cell[i], i + 1 < cell.size() ? widths[i] : 0);
    out += "\n";
  }
  return out;
}

}  // namespace

std::string card_text(const json::object& card) {
  std::string out;
  for (const auto& [name, value] : card) {
    const bool is_table = value.is_array() && !value.get_array().empty() && value.get_array().front().is_object();
    out += is_table ? fmt::format("{}\n{}", std::string_view(name), table(value.get_array()))
                    : fmt::format("{:<22}{}\n", std::string_view(name), line(value));
  }
  return out;
}

}  // namespace paro::cli
