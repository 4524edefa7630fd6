// Attention over int8 pages in integers. Queries and softmax weights become 16-bit codes with a scale of their own,
// which is far finer than the cache; products of pairs are summed exactly, so that no order of keys shows in results.
// What stands in the page beside a row's keys meets weights of 0.
#pragma once

#include <cstdint>

#include "backends/cpu/attention_softmax.h"
#include "backends/cpu/int4_kernels.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"

namespace paro::cpu {
namespace {

// The largest code for which head_dim products with keys stay inside 32 bits.
PARO_INLINE int largest_query_code(int head_dim) {
  const int limit = 0x7fffffff / 127 / ((head_dim + 1) / 2 * 2);
  return limit < 0x7fff ? limit : 0x7fff;
}

PARO_INLINE const float* key_scales(const AttendJob& job, int page) {
  return reinterpret_cast<const float*>(job.pages[page] + job.layout.scales_offset);
}

// Codes of a row's query, and what a sum of their products with key codes is worth beside the key's scale.
template <class V>
PARO_INLINE float quantize_query(const AttendJob& job, int row, int16_t* codes) {
  const float* q = job.q[row];
  const int n = job.layout.head_dim;
  const float largest = absmax<V>(q, n);
  const float most = float(largest_query_code(n));
  const auto inverse = V::set1(largest > 0 ? most / largest : 0.0f);
  for (int d = 0; d < n; d += 16) {
    V::store_i16(codes + d, V::round(V::mul(V::load_first(q + d, n - d < 16 ? n - d : 16), inverse)));
  }
  return largest / most * job.scale;
}

// A row's softmax weights times the scales of their values, as codes over whole pages, in place of its scores.
template <class V>
PARO_INLINE float quantize_weights(const AttendJob& job, int row, int page_begin, int page_end) {
  float* weights = job.scores + row * kSplitKeys;
  auto largest = V::zero();
  for (int i = page_begin * kPage; i < page_end * kPage; i += 16) {
    const auto inside = key_mask<V>(job, row, i);
    const auto scaled = V::mul(V::load(weights + i), V::load(key_scales(job, i / kPage) + kPage + i % kPage));
    const auto w = V::select(inside, scaled, V::zero());
    largest = V::max(largest, w);
    V::store(weights + i, w);
  }
  const float most = V::reduce_max(largest);
  const auto inverse = V::set1(most > 0 ? 32767.0f / most : 0.0f);
  auto* codes = reinterpret_cast<int16_t*>(weights);
  for (int i = page_begin * kPage; i < page_end * kPage; i += 16) {
    V::store_i16(codes + i, V::round(V::mul(V::load(weights + i), inverse)));
  }
  return most * (1.0f / 32767.0f);
}

// Sums over n_pairs lines, each the pairs of 32 lanes in 64 bytes, of pair x codes[r * stride + pair] for R rows.
template <class V, int R>
PARO_INLINE void add_pairs(const uint8_t* lines, int n_pairs, Ahead ahead, const int16_t* codes, int64_t stride,
                           typename V::I (&low)[R], typename V::I (&high)[R]) {
  for (int i = 0; i < n_pairs; ++i) {
    const uint8_t* line = lines + i * 64;
    V::prefetch(ahead.of(line));
    const auto first = V::load_pairs(line);
    const auto second = V::load_pairs(line + 32);
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      const int32_t x2 = load_i32(reinterpret_cast<const uint8_t*>(codes + r * stride + 2 * i));
      low[r] = V::pair_dot(low[r], first, x2);
      high[r] = V::pair_dot(high[r], second, x2);
    }
  }
}

template <class V, int R>
void attend_int8_rows(const AttendJob& job, int row) {
  const RowRange range = rows_range(job, row, R);
  if (range.begin >= range.end) return;
  const int page_begin = range.begin / kPage;
  const int page_end = (range.end - 1) / kPage + 1;
  const int n_dim_pairs = (job.layout.head_dim + 1) / 2;
  const int64_t stride = job.layout.padded_dim;

  float q_scales[R];
  for (int r = 0; r < R; ++r) q_scales[r] = quantize_query<V>(job, row + r, job.codes + r * stride);
  for (int page = page_begin; page < page_end; ++page) {
    typename V::I low[R], high[R];
    PARO_UNROLL
    for (int r = 0; r < R; ++r) low[r] = high[r] = V::izero();
    const uint8_t* next = page + 1 < page_end ? job.pages[page + 1] : values_of(job, page_begin);
    add_pairs<V, R>(job.pages[page], n_dim_pairs, {job.pages[page] + n_dim_pairs * 64, next}, job.codes, stride, low,
                    high);
    for (int r = 0; r < R; ++r) {
      float* scores = job.scores + (row + r) * kSplitKeys + page * kPage;
      const auto scale = V::set1(q_scales[r]);
      V::store(scores, V::mul(V::mul(V::to_float(low[r]), scale), V::load(key_scales(job, page))));
      V::store(scores + 16, V::mul(V::mul(V::to_float(high[r]), scale), V::load(key_scales(job, page) + 16)));
    }
  }

  float v_scales[R];
  for (int r = 0; r < R; ++r) {
    if (job.begin[row + r] < job.end[row + r]) split_softmax<V>(job, row + r);
    v_scales[r] = quantize_weights<V>(job, row + r, page_begin, page_end);
  }
  const auto* weights = reinterpret_cast<const int16_t*>(job.scores + row * kSplitKeys);
  for (int i = 0; i < R * job.layout.padded_dim; i += 16) {
    V::store_int(job.values + row * job.layout.padded_dim + i, V::izero());
  }
  for (int page = page_begin; page < page_end; ++page) {
    const uint8_t* values = values_of(job, page);
    const uint8_t* end = values + int64_t(job.layout.padded_dim) * kPage;
    const uint8_t* next = page + 1 < page_end ? values_of(job, page + 1) : end;
    for (int channel = 0; channel < job.layout.padded_dim; channel += kValueBlock) {
      float* y = job.values + row * job.layout.padded_dim + channel;
      typename V::I low[R], high[R];
      PARO_UNROLL
      for (int r = 0; r < R; ++r) {
        low[r] = V::load_int(y + r * job.layout.padded_dim);
        high[r] = V::load_int(y + r * job.layout.padded_dim + 16);
      }
      add_pairs<V, R>(values + channel * kPage, kPage / 2, {end, next}, weights + page * kPage, 2 * kSplitKeys, low,
                      high);
      PARO_UNROLL
      for (int r = 0; r < R; ++r) {
        V::store_int(y + r * job.layout.padded_dim, low[r]);
        V::store_int(y + r * job.layout.padded_dim + 16, high[r]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    float* y = job.values + (row + r) * job.layout.padded_dim;
    for (int d = 0; d < job.layout.padded_dim; d += 16) {
      V::store(y + d, V::mul(V::to_float(V::load_int(y + d)), V::set1(v_scales[r])));
    }
  }
}

// The code of one key and value among those of its page.
template <class V>
void append_int8_key(const KvLayout& layout, const float* k, const float* v, uint8_t* page, int slot) {
  auto* scales = reinterpret_cast<float*>(page + layout.scales_offset);
  const auto codes_of = [&](const float* x, float& scale, auto&& place) {
    const float largest = absmax<V>(x, layout.head_dim);
    scale = largest * (1.0f / 127.0f);
    const auto inverse = V::set1(largest > 0 ? 127.0f / largest : 0.0f);
    for (int d = 0; d < layout.head_dim; d += 16) {
      const int n = layout.head_dim - d < 16 ? layout.head_dim - d : 16;
      alignas(16) uint8_t codes[16];
      V::store_i8(codes, V::round(V::mul(V::load_first(x + d, n), inverse)));
      for (int i = 0; i < n; ++i) *place(d + i) = codes[i];
    }
  };
  codes_of(k, scales[slot], [&](int d) { return page + (d / 2 * kPage + slot) * 2 + d % 2; });
  codes_of(v, scales[kPage + slot], [&](int d) {
    return page + layout.values_offset + d / kValueBlock * kValueBlock * kPage + slot / 2 * kValueBlock * 2 +
           d % kValueBlock * 2 + slot % 2;
  });
}

}  // namespace
}  // namespace paro::cpu
