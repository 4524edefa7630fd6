// How much an expert has been asked for, with old requests fading: each token that chose it adds 1, and what was added
// t tokens ago counts 2^(-t / half-life). A short half-life keeps the latest (LRU), a long one the most frequent (LFU).
// See: Lee et al., "LRFU: a spectrum of policies that subsumes the least recently used and least frequently used
// policies", 2001.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace paro {

// Kept as the base-2 logarithm of the sum of 2^(time / half-life) over all uses, which changes with a use alone: what
// fades is the same for all experts of a layer.
class ExpertHeat {
 public:
  // Times count the tokens that the expert's layer has routed.
  void add(int64_t n_uses, double time_half_lives) {
    const double use = time_half_lives + std::log2(double(n_uses));
    const double larger = std::max(log_sum_, use), smaller = std::min(log_sum_, use);
    log_sum_ = larger + std::log2(1 + std::exp2(smaller - larger));
  }
  double log_at(double time_half_lives) const { return log_sum_ - time_half_lives; }

 private:
  double log_sum_ = -1e300;
};

}  // namespace paro
