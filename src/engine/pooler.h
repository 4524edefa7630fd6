// Makes one vector of the final hidden states of a sequence's prompt, which arrive over several steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/engine.h"

namespace paro {

class Pooler {
 public:
  // The memory that pooling of max_batch sequences takes.
  static int64_t n_bytes(int max_batch, int hidden_size);

  // memory: n_bytes, aligned for doubles
  Pooler(std::span<std::byte> memory, int max_batch, int hidden_size);

  void begin(int slot);
  // The next position's, in their order, so that chunks make no difference. hidden: [hidden_size]
  void add(int slot, Pooling pooling, const float* hidden);
  // [hidden_size], valid until the next call.
  std::span<const float> result(int slot, int n_added, Pooling pooling);

 private:
  std::span<double> sums(int slot) const { return sums_.subspan(size_t(slot) * result_.size(), result_.size()); }

  std::span<double> sums_;   // [max_batch, hidden_size]
  std::span<float> result_;  // [hidden_size]
};

}  // namespace paro
