// One split of keys for the query rows of one key head. Keys stand in lanes for the scores, channels for the values, so
// that nothing is summed across a register but the softmax. A row's sums run over its own keys in ascending order;
// keys outside its range are never read into them, whatever stands in the page.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/dense_kernels.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"
#include "backends/cpu/math_kernels.h"

namespace paro::cpu {
namespace {

constexpr int64_t element_bytes(Element element) {
  return element == Element::f32 ? 4 : element == Element::i8 ? 1 : 2;
}

// Scores of R rows for the 32 keys of a page, before the scale.
template <class V, Element element, int R>
PARO_INLINE void score_page(const AttendJob& job, int row, int page) {
  constexpr int64_t key_bytes = kPage * element_bytes(element);
  const uint8_t* keys = job.pages[page];
  typename V::F low[R], high[R];
  PARO_UNROLL
  for (int r = 0; r < R; ++r) low[r] = high[r] = V::zero();
  const float* q[R];
  PARO_UNROLL
  for (int r = 0; r < R; ++r) q[r] = job.q[row + r];
  for (int d = 0; d < job.layout.head_dim; ++d) {
    const auto k_low = load_element<V, element>(keys + d * key_bytes, 0);
    const auto k_high = load_element<V, element>(keys + d * key_bytes, 16);
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      const auto x = V::set1(q[r][d]);
      low[r] = V::fma(x, k_low, low[r]);
      high[r] = V::fma(x, k_high, high[r]);
    }
  }
  auto scale_low = V::set1(job.scale);
  auto scale_high = scale_low;
  if constexpr (element == Element::i8) {
    const auto* scales = reinterpret_cast<const float*>(keys + job.layout.scales_offset);
    scale_low = V::mul(scale_low, V::load(scales));
    scale_high = V::mul(scale_high, V::load(scales + 16));
  }
  PARO_UNROLL
  for (int r = 0; r < R; ++r) {
    float* scores = job.scores + (row + r) * kSplitKeys + page * kPage;
    V::store(scores, V::mul(low[r], scale_low));
    V::store(scores + 16, V::mul(high[r], scale_high));
  }
}

// Scores of one row become exp(score - max), and 0 outside its range, in whole lanes.
template <class V>
PARO_INLINE void split_softmax(const AttendJob& job, int row) {
  float* scores = job.scores + row * kSplitKeys;
  const int begin = job.begin[row];
  const int end = job.end[row];
  const int first = begin / 16 * 16;
  const auto mask = [&](int i) { return V::range(begin > i ? begin - i : 0, end < i + 16 ? end - i : 16); };
  const auto lowest = V::set1(-__builtin_inff());
  auto largest = lowest;
  for (int i = first; i < end; i += 16) {
    largest = V::max(largest, V::select(mask(i), V::load(scores + i), lowest));
  }
  const float max = V::reduce_max(largest);
  auto sum = V::zero();
  for (int i = first; i < end; i += 16) {
    const auto e = V::select(mask(i), exp<V>(V::sub(V::load(scores + i), V::set1(max))), V::zero());
    sum = V::add(sum, e);
    V::store(scores + i, e);
  }
  job.max[row] = max;
  job.sum[row] = V::reduce_add(sum);
}

// Where each key's value scale stands, the weights take it in.
template <class V>
PARO_INLINE void scale_weights(const AttendJob& job, int row) {
  float* scores = job.scores + row * kSplitKeys;
  for (int i = job.begin[row] / 16 * 16; i < job.end[row]; i += 16) {
    const uint8_t* page = job.pages[i / kPage];
    const auto* scales = reinterpret_cast<const float*>(page + job.layout.scales_offset) + kPage + i % kPage;
    V::store(scores + i, V::mul(V::load(scores + i), V::load(scales)));
  }
}

template <class V, Element element, int R, int D>
PARO_INLINE void add_values(const AttendJob& job, int row, int channel, int begin, int end,
                            typename V::F (&sum)[R * D]) {
  const int64_t value_bytes = job.layout.padded_dim * element_bytes(element);
  const float* weights = job.scores + row * kSplitKeys;
  while (begin < end) {
    const int page_end = (begin / kPage + 1) * kPage;
    const int last = end < page_end ? end : page_end;
    const uint8_t* values = job.pages[begin / kPage] + job.layout.values_offset + (begin % kPage) * value_bytes +
                            channel * element_bytes(element);
    for (int key = begin; key < last; ++key, values += value_bytes) {
      PARO_UNROLL
      for (int d = 0; d < D; ++d) {
        const auto v = load_element<V, element>(values, 16 * d);
        PARO_UNROLL
        for (int r = 0; r < R; ++r) {
          sum[r * D + d] = V::fma(V::set1(weights[r * kSplitKeys + key]), v, sum[r * D + d]);
        }
      }
    }
    begin = last;
  }
}

// Values of R rows for channels [channel, channel + 16 D): first what each row has before the keys that all share, then
// those, then what each has after them.
template <class V, Element element, int R, int D>
PARO_INLINE void sum_values(const AttendJob& job, int row, int channel, int shared_begin, int shared_end) {
  typename V::F sum[R * D];
  PARO_UNROLL
  for (int i = 0; i < R * D; ++i) sum[i] = V::zero();
  if constexpr (R == 1) {
    add_values<V, element, 1, D>(job, row, channel, job.begin[row], job.end[row], sum);
  } else {
    if (shared_begin >= shared_end) shared_begin = shared_end = kSplitKeys;
    const auto alone = [&](int r, int begin, int end) {
      if (begin >= end) return;
      typename V::F one[D];
      for (int d = 0; d < D; ++d) one[d] = sum[r * D + d];
      add_values<V, element, 1, D>(job, row + r, channel, begin, end, one);
      for (int d = 0; d < D; ++d) sum[r * D + d] = one[d];
    };
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      const int end = job.end[row + r];
      alone(r, job.begin[row + r], end < shared_begin ? end : shared_begin);
    }
    add_values<V, element, R, D>(job, row, channel, shared_begin, shared_end, sum);
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      const int begin = job.begin[row + r];
      alone(r, begin > shared_end ? begin : shared_end, job.end[row + r]);
    }
  }
  PARO_UNROLL
  for (int r = 0; r < R; ++r) {
    if (job.begin[row + r] == job.end[row + r]) continue;
    PARO_UNROLL
    for (int d = 0; d < D; ++d) {
      V::store(job.values + (row + r) * job.layout.padded_dim + channel + 16 * d, sum[r * D + d]);
    }
  }
}

template <class V, Element element, int R>
void attend_rows(const AttendJob& job, int row) {
  int begin = kSplitKeys;
  int end = 0;
  int shared_begin = 0;
  int shared_end = kSplitKeys;
  for (int r = row; r < row + R; ++r) {
    shared_begin = job.begin[r] > shared_begin ? job.begin[r] : shared_begin;
    shared_end = job.end[r] < shared_end ? job.end[r] : shared_end;
    if (job.begin[r] == job.end[r]) continue;
    begin = job.begin[r] < begin ? job.begin[r] : begin;
    end = job.end[r] > end ? job.end[r] : end;
  }
  if (begin >= end) return;
  for (int page = begin / kPage; page * kPage < end; ++page) score_page<V, element, R>(job, row, page);
  for (int r = row; r < row + R; ++r) {
    if (job.begin[r] == job.end[r]) continue;
    split_softmax<V>(job, r);
    if constexpr (element == Element::i8) scale_weights<V>(job, r);
  }
  constexpr int D = R > 2 ? 2 : 4;
  int channel = 0;
  for (; channel + 16 * D <= job.layout.padded_dim; channel += 16 * D) {
    sum_values<V, element, R, D>(job, row, channel, shared_begin, shared_end);
  }
  for (; channel < job.layout.padded_dim; channel += 16) {
    sum_values<V, element, R, 1>(job, row, channel, shared_begin, shared_end);
  }
}

template <class V, Element element, int R = V::kAttendRows>
PARO_INLINE void attend_tiles(const AttendJob& job, int row) {
  if constexpr (R > 1) {
    const int left = job.n_rows - row;
    if (left < R) return attend_tiles<V, element, R - 1>(job, row);
  }
  attend_rows<V, element, R>(job, row);
}

template <class V, Element element>
void attend_as(const AttendJob& job) {
  for (int row = 0; row < job.n_rows; row += V::kAttendRows) attend_tiles<V, element>(job, row);
}

template <class V>
void attend(const AttendJob& job) {
  switch (job.layout.element) {
    case Element::f32:
      return attend_as<V, Element::f32>(job);
    case Element::i8:
      return attend_as<V, Element::i8>(job);
    default:
      return attend_as<V, Element::f16>(job);
  }
}

// A partial result is {max, sum, 14 unused, values [padded_dim]}.
template <class V>
void merge(int padded_dim, float* into, const float* from) {
  const float max = into[0] > from[0] ? into[0] : from[0];
  const auto keep = exp<V>(V::set1(into[0] - max));
  const auto take = exp<V>(V::set1(from[0] - max));
  alignas(64) float factors[32];
  V::store(factors, keep);
  V::store(factors + 16, take);
  into[0] = max;
  into[1] = into[1] * factors[0] + from[1] * factors[16];
  for (int i = 16; i < 16 + padded_dim; i += 16) {
    V::store(into + i, V::fma(V::load(from + i), take, V::mul(V::load(into + i), keep)));
  }
}

template <class V>
PARO_INLINE float absmax(const float* x, int n) {
  auto largest = V::zero();
  for (int i = 0; i < n; i += 16) {
    largest = V::max(largest, V::abs(V::load_first(x + i, n - i < 16 ? n - i : 16)));
  }
  return V::reduce_max(largest);
}

// 16 lanes of v as element type, into at most 64 bytes.
template <class V, Element element>
PARO_INLINE void store_element(uint8_t* p, typename V::F v, float inverse) {
  if constexpr (element == Element::f16) {
    V::store_f16(p, v);
  } else if constexpr (element == Element::f32) {
    V::store(reinterpret_cast<float*>(p), v);
  } else {
    V::store_i8(p, V::round(V::mul(v, V::set1(inverse))));
  }
}

template <class V, Element element>
void append_key_as(const KvLayout& layout, const float* k, const float* v, uint8_t* page, int slot) {
  constexpr int64_t size = element_bytes(element);
  float k_inverse = 1;
  float v_inverse = 1;
  if constexpr (element == Element::i8) {
    auto* scales = reinterpret_cast<float*>(page + layout.scales_offset);
    const float k_max = absmax<V>(k, layout.head_dim);
    const float v_max = absmax<V>(v, layout.head_dim);
    scales[slot] = k_max * (1.0f / 127.0f);
    scales[kPage + slot] = v_max * (1.0f / 127.0f);
    k_inverse = k_max > 0 ? 127.0f / k_max : 0.0f;
    v_inverse = v_max > 0 ? 127.0f / v_max : 0.0f;
  }
  uint8_t* values = page + layout.values_offset + slot * layout.padded_dim * size;
  for (int d = 0; d < layout.head_dim; d += 16) {
    const int n = layout.head_dim - d < 16 ? layout.head_dim - d : 16;
    alignas(64) uint8_t lane[64];
    store_element<V, element>(lane, V::load_first(k + d, n), k_inverse);
    for (int i = 0; i < n; ++i) __builtin_memcpy(page + ((d + i) * kPage + slot) * size, lane + i * size, std::size_t(size));
    store_element<V, element>(values + d * size, V::load_first(v + d, n), v_inverse);
  }
}

template <class V>
void append_key(const KvLayout& layout, const float* k, const float* v, uint8_t* page, int slot) {
  switch (layout.element) {
    case Element::f32:
      return append_key_as<V, Element::f32>(layout, k, v, page, slot);
    case Element::i8:
      return append_key_as<V, Element::i8>(layout, k, v, page, slot);
    default:
      return append_key_as<V, Element::f16>(layout, k, v, page, slot);
  }
}

}  // namespace
}  // namespace paro::cpu
