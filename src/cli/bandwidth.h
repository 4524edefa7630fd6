// How fast this machine reads memory.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "tensor/buffer.h"

namespace paro::cli {

// Reads a buffer much larger than any cache with all threads.
class BandwidthProbe {
 public:
  static constexpr int64_t kBytes = 1 << 30;

  explicit BandwidthProbe(int n_threads);
  double bytes_per_s();  // at best

 private:
  double pass_bytes_per_s();

  Buffer buffer_;
  ThreadPool threads_;
};

}  // namespace paro::cli
