// Ops on one row of floats, and dense rows of tables.
#pragma once

#include <cstdint>

#include "backends/cpu/dense_kernels.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"
#include "backends/cpu/math_kernels.h"

namespace paro::cpu {
namespace {

// Calls body(i, n) for each 16 elements; n < 16 at the end.
template <class Body>
PARO_INLINE void for_lanes(int64_t n, Body&& body) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) body(i, 16);
  if (i < n) body(i, int(n - i));
}
template <class V>
PARO_INLINE typename V::F load_n(const float* p, int n) {
  return n == 16 ? V::load(p) : V::load_first(p, n);
}
template <class V>
PARO_INLINE void store_n(float* p, typename V::F v, int n) {
  if (n == 16) {
    V::store(p, v);
  } else {
    V::store_first(p, v, n);
  }
}

// Four sums side by side: one alone waits for its own latency.
template <class V>
PARO_INLINE float inverse_rms(const float* x, float eps, int64_t n) {
  typename V::F sums[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    PARO_UNROLL
    for (int k = 0; k < 4; ++k) {
      const auto v = V::load(x + i + 16 * k);
      sums[k] = V::fma(v, v, sums[k]);
    }
  }
  for_lanes(n - i, [&](int64_t k, int lanes) {
    const auto v = load_n<V>(x + i + k, lanes);
    sums[0] = V::fma(v, v, sums[0]);
  });
  const auto sum = V::add(V::add(sums[0], sums[1]), V::add(sums[2], sums[3]));
  return 1.0f / __builtin_sqrtf(V::reduce_add(sum) / float(n) + eps);
}

template <class V>
PARO_INLINE typename V::F normed(const float* x, const float* weight, float inverse, int64_t i, int n) {
  const auto v = V::mul(load_n<V>(x + i, n), V::set1(inverse));
  return weight == nullptr ? v : V::mul(v, load_n<V>(weight + i, n));
}

template <class V>
void rms_norm(const float* x, const float* weight, float eps, int64_t n, float* y) {
  const float inverse = inverse_rms<V>(x, eps, n);
  for_lanes(n, [&](int64_t i, int lanes) { store_n<V>(y + i, normed<V>(x, weight, inverse, i, lanes), lanes); });
}

template <class V>
void add_rms_norm(const float* x, const float* weight, float eps, int64_t n, float* into) {
  const float inverse = inverse_rms<V>(x, eps, n);
  for_lanes(n, [&](int64_t i, int lanes) {
    store_n<V>(into + i, V::add(load_n<V>(into + i, lanes), normed<V>(x, weight, inverse, i, lanes)), lanes);
  });
}

// table [half_dim, 2]: cos and sin side by side.
template <class V>
void rope(float* x, const float* table, int64_t half_dim) {
  float* upper = x + half_dim;
  for_lanes(half_dim, [&](int64_t i, int lanes) {
    alignas(64) float cosine[16] = {};
    alignas(64) float sine[16] = {};
    for (int k = 0; k < lanes; ++k) {
      cosine[k] = table[2 * (i + k)];
      sine[k] = table[2 * (i + k) + 1];
    }
    const auto c = V::load(cosine);
    const auto s = V::load(sine);
    const auto a = load_n<V>(x + i, lanes);
    const auto b = load_n<V>(upper + i, lanes);
    store_n<V>(x + i, V::fnma(s, b, V::mul(c, a)), lanes);
    store_n<V>(upper + i, V::fma(s, a, V::mul(c, b)), lanes);
  });
}

template <class V>
void add(float* into, const float* x, int64_t n) {
  for_lanes(n, [&](int64_t i, int k) { store_n<V>(into + i, V::add(load_n<V>(into + i, k), load_n<V>(x + i, k)), k); });
}

template <class V>
void scale(float* x, float factor, int64_t n) {
  for_lanes(n, [&](int64_t i, int k) { store_n<V>(x + i, V::mul(load_n<V>(x + i, k), V::set1(factor)), k); });
}

template <class V>
void multiply(float* x, const float* factors, int64_t n) {
  for_lanes(n, [&](int64_t i, int k) { store_n<V>(x + i, V::mul(load_n<V>(x + i, k), load_n<V>(factors + i, k)), k); });
}

template <class V>
void glu(Gate activation, const float* gate, const float* up, int64_t n, float* y) {
  for_lanes(n, [&](int64_t i, int k) {
    store_n<V>(y + i, V::mul(activate<V>(activation, load_n<V>(gate + i, k)), load_n<V>(up + i, k)), k);
  });
}

template <class V>
void softmax(const float* x, int64_t n, float* y) {
  const auto lowest = V::set1(-__builtin_inff());
  auto largest = lowest;
  for_lanes(n,
            [&](int64_t i, int k) { largest = V::max(largest, V::select(V::first(k), load_n<V>(x + i, k), lowest)); });
  const auto max = V::set1(V::reduce_max(largest));
  auto sum = V::zero();
  for_lanes(n, [&](int64_t i, int k) {
    const auto e = V::select(V::first(k), exp<V>(V::sub(load_n<V>(x + i, k), max)), V::zero());
    sum = V::add(sum, e);
    store_n<V>(y + i, e, k);
  });
  const auto total = V::set1(V::reduce_add(sum));
  for_lanes(n, [&](int64_t i, int k) { store_n<V>(y + i, V::div(load_n<V>(y + i, k), total), k); });
}

template <class V>
void weighted_sum(const float* rows, int64_t stride, const int32_t* index, const float* weights, int n_rows, int64_t n,
                  float* y) {
  for_lanes(n, [&](int64_t i, int k) {
    auto sum = V::mul(V::set1(weights[0]), load_n<V>(rows + index[0] * stride + i, k));
    for (int r = 1; r < n_rows; ++r) {
      sum = V::fma(V::set1(weights[r]), load_n<V>(rows + index[r] * stride + i, k), sum);
    }
    store_n<V>(y + i, sum, k);
  });
}

template <class V>
void scale_zeros(const uint16_t* scales, const uint8_t* zeros, uint16_t* out) {
  V::store_f16(out, V::mul(V::load_f16(scales), V::load_i8(zeros)));
}

template <class V, Element element>
void dense_row_of(const uint8_t* row, int64_t n_cols, float factor, float* y) {
  for_lanes(n_cols,
            [&](int64_t i, int k) { store_n<V>(y + i, V::mul(load_element<V, element>(row, i), V::set1(factor)), k); });
}

// The row is padded to whole lanes.
template <class V>
void dense_row(const uint8_t* row, Element element, int64_t n_cols, float factor, float* y) {
  switch (element) {
    case Element::f16:
      return dense_row_of<V, Element::f16>(row, n_cols, factor, y);
    case Element::bf16:
      return dense_row_of<V, Element::bf16>(row, n_cols, factor, y);
    default:
      return dense_row_of<V, Element::f32>(row, n_cols, factor, y);
  }
}

}  // namespace
}  // namespace paro::cpu
