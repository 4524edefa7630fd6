// Products with rows of 16- or 32-bit floats. A dot product keeps 16 partial sums, channel k in lane k % 16, and adds
// them by one fixed tree, whatever the tile.
#pragma once

#include <cstdint>

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"
#include "backends/cpu/math_kernels.h"

namespace paro::cpu {
namespace {

template <class V, Element element>
PARO_INLINE typename V::F load_element(const uint8_t* row, int64_t i) {
  if constexpr (element == Element::f16) {
    return V::load_f16(row + 2 * i);
  } else if constexpr (element == Element::bf16) {
    return V::load_bf16(row + 2 * i);
  } else if constexpr (element == Element::f32) {
    return V::load(reinterpret_cast<const float*>(row) + i);
  } else {
    return V::load_i8(row + i);
  }
}

// R rows times T tokens.
template <class V, Element element, int R, int T>
void dense_tile(const DenseJob& job, int64_t row, int64_t token) {
  typename V::F sum[R * T];
  PARO_UNROLL
  for (int i = 0; i < R * T; ++i) sum[i] = V::zero();
  const uint8_t* w = job.rows + row * job.row_bytes;
  const float* x = job.x + token * job.n_cols;
  const int64_t whole = job.n_cols / 16 * 16;
  for (int64_t k = 0; k < whole; k += 16) {
    typename V::F v[T];
    PARO_UNROLL
    for (int t = 0; t < T; ++t) v[t] = V::load(x + t * job.n_cols + k);
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      const auto weight = load_element<V, element>(w + r * job.row_bytes, k);
      PARO_UNROLL
      for (int t = 0; t < T; ++t) sum[r * T + t] = V::fma(weight, v[t], sum[r * T + t]);
    }
  }
  if (whole < job.n_cols) {
    const int n = int(job.n_cols - whole);
    for (int t = 0; t < T; ++t) {
      const auto v = V::load_first(x + t * job.n_cols + whole, n);
      for (int r = 0; r < R; ++r) {
        const auto weight = load_element<V, element>(w + r * job.row_bytes, whole);
        sum[r * T + t] = V::fma(weight, v, sum[r * T + t]);
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int t = 0; t < T; ++t) {
      float y = V::reduce_add(sum[r * T + t]);
      if (job.bias != nullptr) y += job.bias[row + r];
      job.y[(token + t) * job.y_stride + row + r] = y;
    }
  }
}

template <class V, Element element>
void dense_rows(const DenseJob& job, int64_t row_begin, int64_t row_end) {
  for (int64_t token = 0; token < job.n;) {
    const int tokens = job.n - token >= 4 ? 4 : 1;
    for (int64_t row = row_begin; row < row_end;) {
      const int rows = row_end - row >= 4 ? 4 : 1;
      if (rows == 4) {
        tokens == 4 ? dense_tile<V, element, 4, 4>(job, row, token) : dense_tile<V, element, 4, 1>(job, row, token);
      } else {
        tokens == 4 ? dense_tile<V, element, 1, 4>(job, row, token) : dense_tile<V, element, 1, 1>(job, row, token);
      }
      row += rows;
    }
    if (job.softcap > 0) {
      for (int t = 0; t < tokens; ++t) {
        float* y = job.y + (token + t) * job.y_stride;
        for (int64_t row = row_begin; row < row_end; row += 16) {
          const int n = int(row_end - row < 16 ? row_end - row : 16);
          V::store_first(y + row, softcap<V>(V::load_first(y + row, n), job.softcap), n);
        }
      }
    }
    token += tokens;
  }
}

template <class V>
void dense_linear(const DenseJob& job, int64_t row_begin, int64_t row_end) {
  switch (job.element) {
    case Element::f16:
      return dense_rows<V, Element::f16>(job, row_begin, row_end);
    case Element::bf16:
      return dense_rows<V, Element::bf16>(job, row_begin, row_end);
    default:
      return dense_rows<V, Element::f32>(job, row_begin, row_end);
  }
}

}  // namespace
}  // namespace paro::cpu
