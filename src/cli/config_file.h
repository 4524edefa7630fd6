// --config FILE: the third spelling of every flag, `max-context = 4096` a line, in the subset of TOML that CLI11 reads.
#pragma once

#include <CLI/App.hpp>

namespace paro::cli {

// For the flags that `command` has by now. What the command line or the environment gives wins. [serve] begins a
// section for that command alone. Throws Error{usage} naming file and key, while the command line is parsed.
void read_config_file(CLI::App& command);

}  // namespace paro::cli
