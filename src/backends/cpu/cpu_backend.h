// The fast CPU backend: weights packed for integer dot products, one set of kernels for each instruction set.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/backend.h"

namespace paro {

struct CpuOptions {
  int n_threads = 0;  // 0: default_threads()
  std::string isa;    // a name of cpu_isas(), "": the best of them
};

// Throws Error{usage} for an instruction set that is unknown or that this machine lacks.
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options);

// Instruction sets that this machine runs, the best first.
std::vector<std::string> cpu_isas();

// Runs the integer dots of an instruction set ("": the best) on registers alone, on the calling thread, and returns the
// operations done, two for each multiply-add. Timed, it is the most that INT4 products can reach. Throws Error{usage}
// as above.
double run_integer_peak(const std::string& isa, int64_t n_rounds);

}  // namespace paro
