#include "engine/pooler.h"

#include <algorithm>

#include "base/check.h"

namespace paro {

int64_t Pooler::n_bytes(int max_batch, int hidden_size) {
  return int64_t(hidden_size) * (max_batch * int64_t(sizeof(double)) + int64_t(sizeof(float)));
}

Pooler::Pooler(std::span<std::byte> memory, int max_batch, int hidden_size)
    : sums_(reinterpret_cast<double*>(memory.data()), size_t(max_batch) * size_t(hidden_size)),
      result_(reinterpret_cast<float*>(memory.data() + sums_.size_bytes()), size_t(hidden_size)) {
  PARO_CHECK(int64_t(memory.size()) >= n_bytes(max_batch, hidden_size));
}

void Pooler::begin(int slot) { std::ranges::fill(sums(slot), 0.0); }

void Pooler::add(int slot, Pooling pooling, const float* hidden) {
  const std::span<double> sum = sums(slot);
  if (pooling == Pooling::last) {
    std::copy_n(hidden, sum.size(), sum.begin());
  } else {
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += double(hidden[i]);
  }
}

std::span<const float> Pooler::result(int slot, int n_added, Pooling pooling) {
  const std::span<double> sum = sums(slot);
  const double n = pooling == Pooling::mean ? n_added : 1;
  for (size_t i = 0; i < sum.size(); ++i) result_[i] = float(sum[i] / n);
  return result_;
}

}  // namespace paro
