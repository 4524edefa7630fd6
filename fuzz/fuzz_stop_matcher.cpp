// Stop strings of a request against text of a model, however it is cut. The input's first byte says how; stop strings
// follow, a line each, up to an empty line; then the text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "require.h"
#include "server/stop_matcher.h"

namespace {

using paro::require;

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t n_bytes) {
  if (n_bytes == 0) return 0;
  const size_t step = 1 + bytes[0] % 16u;
  std::string_view text(reinterpret_cast<const char*>(bytes) + 1, n_bytes - 1);
  std::vector<std::string> stops;
  for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) stops.emplace_back(line);

  paro::server::StopMatcher matcher(stops);
  std::string told;
  for (size_t at = 0; at < text.size(); at += step) told += matcher.push(text.substr(at, step));
  if (!matcher.found()) told += matcher.flush();

  require(text.starts_with(told));
  for (const std::string& stop : stops) require(told.find(stop) == std::string::npos);
  if (matcher.found()) {
    require(std::find(stops.begin(), stops.end(), matcher.stop()) != stops.end());
    require(text.substr(told.size()).starts_with(matcher.stop()));
    require(matcher.push("more").empty());
  } else {
    require(told == text);
  }
  return 0;
}
