#include "cli/processor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace paro::cli {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

int number_in(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string Processor::text() const {
  const std::string known = name.empty() ? "unknown processor" : name;
  return family == 0 ? known : fmt::format("{} (family {}, model {})", known, family, model);
}

Processor parse_cpuinfo(std::string_view text) {
  Processor processor;
  // A blank line ends the first processor.
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) break;
    const std::string_view key = trimmed(line.substr(0, colon)), value = trimmed(line.substr(colon + 1));
    if (key == "model name") processor.name = value;
    if (key == "cpu family") processor.family = number_in(value);
    if (key == "model") processor.model = number_in(value);
  }
  return processor;
}

Processor this_processor() {
  std::ifstream file("/proc/cpuinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return parse_cpuinfo(text.str());
}

}  // namespace paro::cli
