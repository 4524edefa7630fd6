// Another program, run to its end without a shell: in a process group of its own, which does not outlive the run, a
// timeout, or a signal that ends this program.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace paro::cli {

enum class Capture { output, output_and_errors };

// What the program prints; `program` is searched in PATH. Throws Error{io} when it cannot be run, fails, prints without
// end or is not done in time. Called from one thread at a time.
std::string run_child(const std::vector<std::string>& command, Capture capture, std::chrono::seconds timeout);

}  // namespace paro::cli
