// How fast this machine multiplies integers: the measure that prefill is held against.
#pragma once

#include <cstdint>
#include <string>

#include "base/thread_pool.h"

namespace paro::cli {

// Runs the products of an instruction set on registers alone, with all threads.
class IntegerPeakProbe {
 public:
  static constexpr int64_t kThreadBytes = 64 << 10;  // of a thread's stack

  // isa: as of the cpu backend, "": the best.
  IntegerPeakProbe(int n_threads, std::string isa);
  double ops_per_s();

 private:
  std::string isa_;
  ThreadPool threads_;
  int64_t n_rounds_ = 0;  // of a piece
};

}  // namespace paro::cli
