#include "cli/peer_output.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cmath>
#include <cstdlib>
#include <string>

namespace paro::cli {

namespace json = boost::json;

namespace {

// A finite positive number, or 0.
double number_at(const json::object& object, const char* key) {
  const json::value* member = object.if_contains(key);
  const double value = member != nullptr && member->is_number() ? member->to_number<double>() : 0;
  return std::isfinite(value) && value > 0 ? value : 0;
}

json::value parsed(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  return error ? json::value() : value;
}

// The cells of a table's row as numbers; none if any is something else.
std::vector<double> row_numbers(std::string_view line) {
  std::vector<double> numbers;
  while (line.size() > 1) {
    line.remove_prefix(1);  // '|'
    const size_t end = line.find('|');
    if (end == std::string_view::npos) break;
    const std::string cell(line.substr(0, end));
    char* rest = nullptr;
    numbers.push_back(std::strtod(cell.c_str(), &rest));
    if (rest == cell.c_str() || cell.find_first_not_of(' ', size_t(rest - cell.c_str())) != std::string::npos)
      return {};
    line.remove_prefix(end);
  }
  return numbers;
}

void add_decode(PeerResult& result, double batch, double tokens_per_s) {
  constexpr double kMaxBatch = 1 << 20;
  if (batch >= 1 && batch <= kMaxBatch && std::isfinite(tokens_per_s) && tokens_per_s > 0) {
    result.decode.push_back({int(batch), tokens_per_s});
  }
}

}  // namespace

PeerResult parse_llama_bench(std::string_view text) {
  PeerResult result;
  const json::value value = parsed(text);
  if (!value.is_array()) return result;
  for (const json::value& entry : value.get_array()) {
    if (!entry.is_object()) continue;
    const json::object& object = entry.get_object();
    if (number_at(object, "n_depth") > 0) continue;  // flags of its own may ask for more than is compared
    const double speed = number_at(object, "avg_ts");
    const bool prompt = number_at(object, "n_prompt") > 0, answer = number_at(object, "n_gen") > 0;
    if (prompt && !answer) result.prefill_tokens_per_s = speed;
    if (answer && !prompt) add_decode(result, 1, speed);
  }
  return result;
}

PeerResult parse_batched_bench(std::string_view text) {
  constexpr size_t kColumns = 10, kBatch = 2, kDecodeSpeed = 7;
  PeerResult result;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('|')) {
      const std::vector<double> row = row_numbers(line);
      if (row.size() == kColumns) add_decode(result, row[kBatch], row[kDecodeSpeed]);
    } else if (line.starts_with('{')) {
      const json::value value = parsed(line);
      if (!value.is_object()) continue;
      add_decode(result, number_at(value.get_object(), "pl"), number_at(value.get_object(), "speed_tg"));
    }
  }
  return result;
}

}  // namespace paro::cli
