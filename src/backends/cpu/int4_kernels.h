// Products with INT4 blocks. A tile is one or two blocks of 16 rows times a few tokens: every weight line is unpacked
// once and serves all tokens of the tile. Integers are exact inside a group; groups are added as
//   y = fma(scale_w * scale_x, dot, y), y = fma(scale_w * zero, correction_x, y)
// in ascending order whatever the tile, so that tiles do not show in results.
#pragma once

#include <cstdint>

#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"
#include "backends/cpu/math_kernels.h"

namespace paro::cpu {
namespace {

// A copy of an activation row's address, moved by a product's index.
PARO_INLINE const uint8_t* quantized_row(const QuantizedRows& x, int64_t t) {
  return x.data + (x.index == nullptr ? t : x.index[t]) * x.stride;
}

PARO_INLINE int32_t load_i32(const uint8_t* p) {
  int32_t v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
PARO_INLINE float load_f32(const uint8_t* p) {
  float v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

// Weights this far ahead are asked for; a tile's blocks are followed by those of the next tile.
constexpr int kPrefetchBytes = 3072;

// out [R * T, 16]: block r, token t at r * T + t. G is the group size if known when compiled, or 0.
template <class V, int R, int T, int G>
PARO_INLINE void int4_tile(const uint8_t* const (&w)[2], const uint8_t* const (&x)[V::kMaxTileTokens], int64_t n_groups,
                           int runtime_group, int64_t scales_offset, float* out) {
  const int group = G != 0 ? G : runtime_group;
  const int64_t tile_bytes = group * 8 + 64;
  const int64_t next_tile = (R - 1) * n_groups * tile_bytes;
  typename V::F y[R * T];
  PARO_UNROLL
  for (int i = 0; i < R * T; ++i) y[i] = V::zero();
  for (int64_t g = 0; g < n_groups; ++g) {
    const int64_t w_begin = g * tile_bytes;
    const int64_t ahead = kPrefetchBytes + (w_begin + kPrefetchBytes < n_groups * tile_bytes ? 0 : next_tile);
    const int64_t x_begin = g * group;
    typename V::I sum[R * T];
    PARO_UNROLL
    for (int i = 0; i < R * T; ++i) sum[i] = V::izero();
    // 32 channels at a time: eight products of 15 * 127 * 2 still fit 16 bits where dots are narrow.
    for (int k0 = 0; k0 < group; k0 += 32) {
      typename V::D dots[R * T];
      PARO_UNROLL
      for (int i = 0; i < R * T; ++i) {
        if constexpr (V::kDotsAreWide) {
          dots[i] = sum[i];
        } else {
          dots[i] = V::dzero();
        }
      }
      PARO_UNROLL
      for (int k = 0; k < 32; k += 8) {
        typename V::L low[R], high[R];
        PARO_UNROLL
        for (int r = 0; r < R; ++r) {
          const uint8_t* line = w[r] + w_begin + (k0 + k) * 8;
          V::prefetch(line + ahead);
          const auto codes = V::load_line(line);
          low[r] = V::low(codes);
          high[r] = V::high(codes);
        }
        PARO_UNROLL
        for (int t = 0; t < T; ++t) {
          const int32_t x4 = load_i32(x[t] + x_begin + k0 + k);
          PARO_UNROLL
          for (int r = 0; r < R; ++r) dots[r * T + t] = V::dot(dots[r * T + t], low[r], x4);
        }
        PARO_UNROLL
        for (int t = 0; t < T; ++t) {
          const int32_t x4 = load_i32(x[t] + x_begin + k0 + k + 4);
          PARO_UNROLL
          for (int r = 0; r < R; ++r) dots[r * T + t] = V::dot(dots[r * T + t], high[r], x4);
        }
      }
      PARO_UNROLL
      for (int i = 0; i < R * T; ++i) {
        if constexpr (V::kDotsAreWide) {
          sum[i] = dots[i];
        } else {
          sum[i] = V::widen(sum[i], dots[i]);
        }
      }
    }
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      const uint8_t* scales = w[r] + w_begin + group * 8;
      const typename V::F scale = V::load_f16(scales);
      const typename V::F scaled_zero = V::load_f16(scales + 32);
      PARO_UNROLL
      for (int t = 0; t < T; ++t) {
        const uint8_t* x_scales = x[t] + scales_offset + g * 8;
        typename V::F v = y[r * T + t];
        v = V::fma(V::mul(scale, V::set1(load_f32(x_scales))), V::to_float(sum[r * T + t]), v);
        y[r * T + t] = V::fma(scaled_zero, V::set1(load_f32(x_scales + 4)), v);
      }
    }
  }
  PARO_UNROLL
  for (int i = 0; i < R * T; ++i) V::store(out + 16 * i, y[i]);
}

template <class V, int R, int T>
PARO_NOINLINE void int4_tile_of(const uint8_t* const (&w)[2], const uint8_t* const (&x)[V::kMaxTileTokens],
                                int64_t n_groups, int group, int64_t scales_offset, float* out) {
  if (group == 128) {
    int4_tile<V, R, T, 128>(w, x, n_groups, group, scales_offset, out);
  } else if (group == 64) {
    int4_tile<V, R, T, 64>(w, x, n_groups, group, scales_offset, out);
  } else {
    int4_tile<V, R, T, 0>(w, x, n_groups, group, scales_offset, out);
  }
}

// Blocks w[0] and, unless null, w[1] times n_tokens tokens; out [2, n_tokens, 16].
template <class V, int T = V::kMaxTileTokens>
PARO_INLINE void int4_tiles(const uint8_t* const (&w)[2], const uint8_t* const (&x)[V::kMaxTileTokens], int n_tokens,
                            int64_t n_groups, int group, int64_t scales_offset, float* out) {
  if constexpr (T > 1) {
    if (n_tokens < T) {
      return int4_tiles<V, T - 1>(w, x, n_tokens, n_groups, group, scales_offset, out);
    }
  }
  if (V::kTileBlocks == 2 && w[1] != nullptr) {
    int4_tile_of<V, V::kTileBlocks, T>(w, x, n_groups, group, scales_offset, out);
    return;
  }
  int4_tile_of<V, 1, T>(w, x, n_groups, group, scales_offset, out);
  if (w[1] == nullptr) return;
  const uint8_t* const second[2] = {w[1], nullptr};
  int4_tile_of<V, 1, T>(second, x, n_groups, group, scales_offset, out + 16 * T);
}

template <class V>
PARO_INLINE void load_rows(const QuantizedRows& rows, int64_t begin, int n, const uint8_t* (&x)[V::kMaxTileTokens]) {
  for (int t = 0; t < n; ++t) x[t] = quantized_row(rows, begin + t);
}

template <class V>
PARO_INLINE void store_row(float* y, typename V::F v, const float* bias, int64_t row, int64_t n_rows) {
  if (row + kBlockRows <= n_rows) {
    if (bias != nullptr) v = V::add(v, V::load(bias + row));
    V::store(y + row, v);
  } else {
    const int n = int(n_rows - row);
    if (bias != nullptr) v = V::add(v, V::load_first(bias + row, n));
    V::store_first(y + row, v, n);
  }
}

// Past kTileTokens registers spill; that pays while memory is the limit and one pass over the weights is saved.
template <class V>
PARO_INLINE int64_t count_tiles(int64_t n) {
  return n <= V::kMaxTileTokens ? 1 : (n + V::kTileTokens - 1) / V::kTileTokens;
}
// n tokens in tiles of almost one size: tile i of n_tiles begins here.
PARO_INLINE int64_t tile_begin(int64_t n, int64_t n_tiles, int64_t i) { return n * i / n_tiles; }

template <class V>
void int4_linear(const Int4Job& job, int64_t block_begin, int64_t block_end) {
  const int64_t n_tiles = count_tiles<V>(job.n);
  for (int64_t tile = 0; tile < n_tiles; ++tile) {
    const int64_t begin = tile_begin(job.n, n_tiles, tile);
    const int n = int(tile_begin(job.n, n_tiles, tile + 1) - begin);
    const uint8_t* x[V::kMaxTileTokens];
    load_rows<V>(job.x, begin, n, x);
    for (int64_t block = block_begin; block < block_end; block += 2) {
      const uint8_t* first = job.blocks + block * job.block_bytes;
      const uint8_t* const w[2] = {first, block + 1 < block_end ? first + job.block_bytes : nullptr};
      alignas(64) float out[2 * V::kMaxTileTokens * 16];
      int4_tiles<V>(w, x, n, job.n_groups, job.group_size, job.x.scales_offset, out);
      for (int r = 0; r < (w[1] == nullptr ? 1 : 2); ++r) {
        for (int t = 0; t < n; ++t) {
          store_row<V>(job.y + (begin + t) * job.y_stride, V::load(out + 16 * (r * n + t)), job.bias,
                       (block + r) * kBlockRows, job.n_rows);
        }
      }
    }
  }
}

template <class V>
void int4_glu(const GluJob& job, int64_t block_begin, int64_t block_end) {
  const int64_t n_tiles = count_tiles<V>(job.n);
  const bool one_input = job.x_gate.data == job.x_up.data;
  for (int64_t tile = 0; tile < n_tiles; ++tile) {
    const int64_t begin = tile_begin(job.n, n_tiles, tile);
    const int n = int(tile_begin(job.n, n_tiles, tile + 1) - begin);
    const uint8_t* x[V::kMaxTileTokens];
    const uint8_t* x_up[V::kMaxTileTokens];
    load_rows<V>(job.x_gate, begin, n, x);
    if (!one_input) load_rows<V>(job.x_up, begin, n, x_up);
    const int step = one_input ? 1 : 2;
    for (int64_t block = block_begin; block < block_end; block += step) {
      const int n_blocks = int(block_end - block < step ? block_end - block : step);
      alignas(64) float gate[2 * V::kMaxTileTokens * 16];
      alignas(64) float up_out[2 * V::kMaxTileTokens * 16];
      const float* up = up_out;
      const uint8_t* gate_block = job.gate + block * job.block_stride;
      const uint8_t* up_block = job.up + block * job.block_stride;
      if (one_input) {
        const uint8_t* const w[2] = {gate_block, up_block};
        int4_tiles<V>(w, x, n, job.n_groups, job.group_size, job.x_gate.scales_offset, gate);
        up = gate + 16 * n;
      } else {
        const uint8_t* const w[2] = {gate_block, n_blocks == 2 ? gate_block + job.block_stride : nullptr};
        int4_tiles<V>(w, x, n, job.n_groups, job.group_size, job.x_gate.scales_offset, gate);
        const uint8_t* const w_up[2] = {up_block, n_blocks == 2 ? up_block + job.block_stride : nullptr};
        int4_tiles<V>(w_up, x_up, n, job.n_groups, job.group_size, job.x_up.scales_offset, up_out);
      }
      for (int r = 0; r < n_blocks; ++r) {
        const int64_t row = (block + r) * kBlockRows;
        const int n_lanes = int(job.n_rows - row < kBlockRows ? job.n_rows - row : kBlockRows);
        for (int t = 0; t < n; ++t) {
          auto g = V::load(gate + 16 * (r * n + t));
          auto u = V::load(up + 16 * (r * n + t));
          if (job.gate_bias != nullptr) g = V::add(g, V::load_first(job.gate_bias + row, n_lanes));
          if (job.up_bias != nullptr) u = V::add(u, V::load_first(job.up_bias + row, n_lanes));
          store_row<V>(job.y + (begin + t) * job.y_stride, V::mul(activate<V>(job.activation, g), u), nullptr, row,
                       job.n_rows);
        }
      }
    }
  }
}

}  // namespace
}  // namespace paro::cpu
