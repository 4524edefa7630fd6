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

constexpr int kKeyPrefetchBytes = 2048;

// Scores of R rows for the 32 keys of a page.
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
    V::prefetch(keys + d * key_bytes + kKeyPrefetchBytes);
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

// Adds keys [begin, end) of a page to R rows of 16 D channels. Values lie in blocks of 32 channels, [kPage, 32] each.
template <class V, Element element, int R, int D>
PARO_INLINE void add_values(const uint8_t* values, const float* weights, int begin, int end,
                            typename V::F (&sum)[R * D]) {
  constexpr int64_t key_bytes = kValueBlock * element_bytes(element);
  for (int key = begin; key < end; ++key) {
    V::prefetch(values + key * key_bytes + kKeyPrefetchBytes);
    PARO_UNROLL
    for (int d = 0; d < D; ++d) {
      const auto v = load_element<V, element>(values + key * key_bytes, 16 * d);
      PARO_UNROLL
      for (int r = 0; r < R; ++r) {
        sum[r * D + d] = V::fma(V::set1(weights[r * kSplitKeys + key]), v, sum[r * D + d]);
      }
    }
  }
}

// One page's share of the values of R rows. The keys that all rows see serve all of them; what a row sees before or
// after those, it takes alone. Page after page, that is ascending order for every row.
template <class V, Element element, int R>
PARO_INLINE void add_page(const AttendJob& job, int row, int page, int shared_begin, int shared_end) {
  constexpr int D = kValueBlock / 16;
  const auto inside = [&](int key) {
    const int i = key - page * kPage;
    return i < 0 ? 0 : i > kPage ? kPage : i;
  };
  int begin[R], end[R];
  for (int r = 0; r < R; ++r) {
    begin[r] = inside(job.begin[row + r]);
    end[r] = inside(job.end[row + r]);
  }
  const int common_begin = inside(shared_begin);
  const int common_end = inside(shared_end);
  const bool ragged = [&] {
    for (int r = 0; r < R; ++r) {
      if (begin[r] != common_begin || end[r] != common_end) return true;
    }
    return false;
  }();
  const float* weights = job.scores + row * kSplitKeys + page * kPage;
  const uint8_t* values = job.pages[page] + job.layout.values_offset;
  for (int channel = 0; channel < job.layout.padded_dim; channel += kValueBlock) {
    float* y = job.values + row * job.layout.padded_dim + channel;
    typename V::F sum[R * D];
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      PARO_UNROLL
      for (int d = 0; d < D; ++d) sum[r * D + d] = V::load(y + r * job.layout.padded_dim + 16 * d);
    }
    if (!ragged) {
      add_values<V, element, R, D>(values, weights, common_begin, common_end, sum);
    } else {
      const auto alone = [&](int r, int from, int to) {
        typename V::F one[D];
        for (int d = 0; d < D; ++d) one[d] = sum[r * D + d];
        add_values<V, element, 1, D>(values, weights + r * kSplitKeys, from, to, one);
        for (int d = 0; d < D; ++d) sum[r * D + d] = one[d];
      };
      const bool any_common = common_begin < common_end;
      for (int r = 0; r < R; ++r) alone(r, begin[r], any_common ? common_begin : end[r]);
      if (any_common) {
        add_values<V, element, R, D>(values, weights, common_begin, common_end, sum);
        for (int r = 0; r < R; ++r) alone(r, common_end, end[r]);
      }
    }
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      PARO_UNROLL
      for (int d = 0; d < D; ++d) V::store(y + r * job.layout.padded_dim + 16 * d, sum[r * D + d]);
    }
    values += kPage * kValueBlock * element_bytes(element);
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
  for (int i = 0; i < R * job.layout.padded_dim; i += 16) {
    V::store(job.values + row * job.layout.padded_dim + i, V::zero());
  }
  for (int page = begin / kPage; page * kPage < end; ++page) {
    add_page<V, element, R>(job, row, page, shared_begin, shared_end);
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
  uint8_t* values = page + layout.values_offset + slot * kValueBlock * size;
  for (int d = 0; d < layout.head_dim; d += 16) {
    const int n = layout.head_dim - d < 16 ? layout.head_dim - d : 16;
    alignas(64) uint8_t lane[64];
    store_element<V, element>(lane, V::load_first(k + d, n), k_inverse);
    for (int i = 0; i < n; ++i)
      __builtin_memcpy(page + ((d + i) * kPage + slot) * size, lane + i * size, std::size_t(size));
    const int64_t block = d / kValueBlock * kValueBlock;
    store_element<V, element>(values + (block * kPage + d - block) * size, V::load_first(v + d, n), v_inverse);
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
