#include "cli/number_range.h"

#include <fmt/format.h>

#include <string>

namespace paro::cli {

CLI::Validator number_range(double least, double most, const char* what) {
  const auto problem_of = [=](const std::string& text) {
    double number = 0;
    const bool fits = CLI::detail::lexical_cast(text, number) && number >= least && number <= most;
    return fits ? "" : fmt::format("'{}' is no {} from {} to {}", text, what, least, most);
  };
  return CLI::Validator(problem_of, fmt::format("[{} - {}]", least, most));
}

}  // namespace paro::cli
