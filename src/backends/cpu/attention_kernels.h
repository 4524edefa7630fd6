// One split of keys for the query rows of one key head, over pages of floats. Keys stand in lanes for the scores,
// channels for the values, so that nothing is summed across a register but the softmax. A row's sums run over its own
// keys in ascending order; keys outside its range are never read into them, whatever stands in the page.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/attention_int8_kernels.h"
#include "backends/cpu/attention_softmax.h"
#include "backends/cpu/dense_kernels.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"
#include "backends/cpu/math_kernels.h"

namespace paro::cpu {
namespace {

constexpr int64_t element_bytes(Element element) { return element == Element::f32 ? 4 : 2; }

// Scores of R rows for the 32 keys of a page.
template <class V, Element element, int R>
PARO_INLINE void score_page(const AttendJob& job, int row, int page, const uint8_t* next) {
  constexpr int64_t key_bytes = kPage * element_bytes(element);
  const uint8_t* keys = job.pages[page];
  const Ahead ahead{keys + job.layout.head_dim * key_bytes, next};
  typename V::F low[R], high[R];
  PARO_UNROLL
  for (int r = 0; r < R; ++r) low[r] = high[r] = V::zero();
  const float* q[R];
  PARO_UNROLL
  for (int r = 0; r < R; ++r) q[r] = job.q[row + r];
  for (int d = 0; d < job.layout.head_dim; ++d) {
    V::prefetch(ahead.of(keys + d * key_bytes));
    const auto k_low = load_element<V, element>(keys + d * key_bytes, 0);
    const auto k_high = load_element<V, element>(keys + d * key_bytes, 16);
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      const auto x = V::set1(q[r][d]);
      low[r] = V::fma(x, k_low, low[r]);
      high[r] = V::fma(x, k_high, high[r]);
    }
  }
  const auto scale = V::set1(job.scale);
  PARO_UNROLL
  for (int r = 0; r < R; ++r) {
    float* scores = job.scores + (row + r) * kSplitKeys + page * kPage;
    V::store(scores, V::mul(low[r], scale));
    V::store(scores + 16, V::mul(high[r], scale));
  }
}

// Adds keys [begin, end) of a page to R rows of 16 D channels. Values lie in blocks of 32 channels, [kPage, 32] each.
template <class V, Element element, int R, int D>
PARO_INLINE void add_values(const uint8_t* values, Ahead ahead, const float* weights, int begin, int end,
                            typename V::F (&sum)[R * D]) {
  constexpr int64_t key_bytes = kValueBlock * element_bytes(element);
  for (int key = begin; key < end; ++key) {
    V::prefetch(ahead.of(values + key * key_bytes));
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
PARO_INLINE void add_page(const AttendJob& job, int row, int page, const RowRange& range, const uint8_t* next) {
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
  const int common_begin = inside(range.shared_begin);
  const int common_end = inside(range.shared_end);
  const bool ragged = [&] {
    for (int r = 0; r < R; ++r) {
      if (begin[r] != common_begin || end[r] != common_end) return true;
    }
    return false;
  }();
  const float* weights = job.scores + row * kSplitKeys + page * kPage;
  const uint8_t* values = values_of(job, page);
  const Ahead ahead{values + job.layout.padded_dim * kPage * element_bytes(element), next};
  for (int channel = 0; channel < job.layout.padded_dim; channel += kValueBlock) {
    float* y = job.values + row * job.layout.padded_dim + channel;
    typename V::F sum[R * D];
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      PARO_UNROLL
      for (int d = 0; d < D; ++d) sum[r * D + d] = V::load(y + r * job.layout.padded_dim + 16 * d);
    }
    if (!ragged) {
      add_values<V, element, R, D>(values, ahead, weights, common_begin, common_end, sum);
    } else {
      const auto alone = [&](int r, int from, int to) {
        typename V::F one[D];
        for (int d = 0; d < D; ++d) one[d] = sum[r * D + d];
        add_values<V, element, 1, D>(values, ahead, weights + r * kSplitKeys, from, to, one);
        for (int d = 0; d < D; ++d) sum[r * D + d] = one[d];
      };
      const bool any_common = common_begin < common_end;
      for (int r = 0; r < R; ++r) alone(r, begin[r], any_common ? common_begin : end[r]);
      if (any_common) {
        add_values<V, element, R, D>(values, ahead, weights, common_begin, common_end, sum);
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
  const RowRange range = rows_range(job, row, R);
  if (range.begin >= range.end) return;
  const int page_begin = range.begin / kPage;
  const int page_end = (range.end - 1) / kPage + 1;
  for (int page = page_begin; page < page_end; ++page) {
    const uint8_t* next = page + 1 < page_end ? job.pages[page + 1] : values_of(job, page_begin);
    score_page<V, element, R>(job, row, page, next);
  }
  for (int r = row; r < row + R; ++r) {
    if (job.begin[r] < job.end[r]) split_softmax<V>(job, r);
  }
  for (int i = 0; i < R * job.layout.padded_dim; i += 16) {
    V::store(job.values + row * job.layout.padded_dim + i, V::zero());
  }
  for (int page = page_begin; page < page_end; ++page) {
    const uint8_t* next = values_of(job, page + 1 < page_end ? page + 1 : page);
    add_page<V, element, R>(job, row, page, range, next);
  }
}

template <class V, Element element, int R = V::kAttendRows>
PARO_INLINE void attend_tiles(const AttendJob& job, int row) {
  if constexpr (R > 1) {
    const int left = job.n_rows - row;
    if (left < R) return attend_tiles<V, element, R - 1>(job, row);
  }
  if constexpr (element == Element::i8) {
    attend_int8_rows<V, R>(job, row);
  } else {
    attend_rows<V, element, R>(job, row);
  }
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

// 16 lanes of v as element type, into at most 64 bytes.
template <class V, Element element>
PARO_INLINE void store_element(uint8_t* p, typename V::F v) {
  if constexpr (element == Element::f16) {
    V::store_f16(p, v);
  } else {
    V::store(reinterpret_cast<float*>(p), v);
  }
}

template <class V, Element element>
void append_float_key(const KvLayout& layout, const float* k, const float* v, uint8_t* page, int slot) {
  constexpr int64_t size = element_bytes(element);
  uint8_t* values = page + layout.values_offset + slot * kValueBlock * size;
  for (int d = 0; d < layout.head_dim; d += 16) {
    const int n = layout.head_dim - d < 16 ? layout.head_dim - d : 16;
    alignas(64) uint8_t lane[64];
    store_element<V, element>(lane, V::load_first(k + d, n));
    for (int i = 0; i < n; ++i)
      __builtin_memcpy(page + ((d + i) * kPage + slot) * size, lane + i * size, std::size_t(size));
    const int64_t block = d / kValueBlock * kValueBlock;
    store_element<V, element>(values + (block * kPage + d - block) * size, V::load_first(v + d, n));
  }
}

template <class V>
void append_key(const KvLayout& layout, const float* k, const float* v, uint8_t* page, int slot) {
  switch (layout.element) {
    case Element::f32:
      return append_float_key<V, Element::f32>(layout, k, v, page, slot);
    case Element::i8:
      return append_int8_key<V>(layout, k, v, page, slot);
    default:
      return append_float_key<V, Element::f16>(layout, k, v, page, slot);
  }
}

}  // namespace
}  // namespace paro::cpu
