// What attention shares whatever the cache holds: ranges of rows, the softmax of a split, where to read ahead.
#pragma once

#include <cstdint>

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"
#include "backends/cpu/math_kernels.h"

namespace paro::cpu {
namespace {

PARO_INLINE const uint8_t* values_of(const AttendJob& job, int page) {
  return job.pages[page] + job.layout.values_offset;
}

// Where a stream of lines that ends at `end` goes on at `next`: what lies kBytes ahead of a line.
struct Ahead {
  static constexpr int64_t kBytes = 4096;
  const uint8_t* end;
  const uint8_t* next;

  PARO_INLINE const uint8_t* of(const uint8_t* line) const {
    return line + kBytes < end ? line + kBytes : next + (line + kBytes - end);
  }
};

// The keys that some of n rows see, and those that all of them see.
struct RowRange {
  int begin, end;
  int shared_begin, shared_end;
};
PARO_INLINE RowRange rows_range(const AttendJob& job, int row, int n) {
  RowRange range{kSplitKeys, 0, 0, kSplitKeys};
  for (int r = row; r < row + n; ++r) {
    range.shared_begin = job.begin[r] > range.shared_begin ? job.begin[r] : range.shared_begin;
    range.shared_end = job.end[r] < range.shared_end ? job.end[r] : range.shared_end;
    if (job.begin[r] == job.end[r]) continue;
    range.begin = job.begin[r] < range.begin ? job.begin[r] : range.begin;
    range.end = job.end[r] > range.end ? job.end[r] : range.end;
  }
  return range;
}

// Which of keys [i, i + 16) a row sees.
template <class V>
PARO_INLINE typename V::M key_mask(const AttendJob& job, int row, int i) {
  const auto clamp = [&](int key) { return key < i ? 0 : key > i + 16 ? 16 : key - i; };
  return V::range(clamp(job.begin[row]), clamp(job.end[row]));
}

// Scores of one row become exp(score - max), and 0 outside its range, in whole lanes.
template <class V>
PARO_INLINE void split_softmax(const AttendJob& job, int row) {
  float* scores = job.scores + row * kSplitKeys;
  const int first = job.begin[row] / 16 * 16;
  const int end = job.end[row];
  const auto lowest = V::set1(-__builtin_inff());
  auto largest = lowest;
  for (int i = first; i < end; i += 16) {
    largest = V::max(largest, V::select(key_mask<V>(job, row, i), V::load(scores + i), lowest));
  }
  const float max = V::reduce_max(largest);
  auto sum = V::zero();
  for (int i = first; i < end; i += 16) {
    const auto e = V::select(key_mask<V>(job, row, i), exp<V>(V::sub(V::load(scores + i), V::set1(max))), V::zero());
    sum = V::add(sum, e);
    V::store(scores + i, e);
  }
  job.max[row] = max;
  job.sum[row] = V::reduce_add(sum);
}

template <class V>
PARO_INLINE float absmax(const float* x, int n) {
  auto largest = V::zero();
  for (int i = 0; i < n; i += 16) {
    largest = V::max(largest, V::abs(V::load_first(x + i, n - i < 16 ? n - i : 16)));
  }
  return V::reduce_max(largest);
}

}  // namespace
}  // namespace paro::cpu
