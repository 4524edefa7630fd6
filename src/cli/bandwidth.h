// How fast this machine reads memory, and what of it a decoded token reads: the measure that decoding is held against.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "engine/model_runner.h"
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

// Packed bytes that a decode step reads at least once.
struct StepBytes {
  double weights = 0;
  double experts = 0;  // in expectation, when every expert is as likely as any other
  double kv = 0;       // of all sequences

  double total() const { return weights + experts + kv; }
};

// Of a greedy step with one token of each of n_sequences, each after n_context others.
StepBytes step_bytes(const ModelRunner& runner, KvCache& cache, const EngineOptions& options, int n_sequences,
                     int n_context);

}  // namespace paro::cli
