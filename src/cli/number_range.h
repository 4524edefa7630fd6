// What a flag's number may be.
#pragma once

#include <CLI/App.hpp>

namespace paro::cli {

// From `least` to `most`; unlike CLI::Range it lets no nan pass. `what` is named when it is refused.
CLI::Validator number_range(double least, double most, const char* what = "number");

}  // namespace paro::cli
