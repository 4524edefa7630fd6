// How much an expert has been asked for, with old requests fading: each token that chose it adds 1, and what was added
// t tokens ago counts 2^(-t / half-life). A short half-life keeps the latest (LRU), a long one the most frequent (LFU).
// See: Lee et al., "LRFU: a spectrum of policies that subsumes the least recently used and least frequently used
// policies", 2001.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace paro {

// Two heats compare alike at all times, so that one is written only when its expert is used: it is the base-2 logarithm
// of the sum of 2^(time / half-life) over all uses, which grows by the newest use alone.
class ExpertHeat {
 public:
  void add(int64_t n_uses, int64_t time_tokens, double half_life_tokens) {
    const double use = double(time_tokens) / half_life_tokens + std::log2(double(n_uses));
    const double larger = std::max(log_sum_, use), smaller = std::min(log_sum_, use);
    log_sum_ = larger + std::log2(1 + std::exp2(smaller - larger));
  }
  friend bool operator<(const ExpertHeat& a, const ExpertHeat& b) { return a.log_sum_ < b.log_sum_; }

 private:
  double log_sum_ = -1e300;
};

}  // namespace paro
