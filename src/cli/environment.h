// The second spelling of every flag: --max-context is PARO_MAX_CONTEXT in the environment.
#pragma once

#include <CLI/App.hpp>

namespace paro::cli {

// For all flags that `app` has by now. A flag given on the command line wins.
void read_environment(CLI::App& app);

}  // namespace paro::cli
