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

// Blocks of a tile. Few tokens leave registers for four, whose streams read memory faster than two.
constexpr int kMaxTileBlocks = 4;
template <class V>
PARO_INLINE constexpr int tile_blocks(int n_tokens) {
  return n_tokens <= V::kWideTileTokens ? V::kWideTileBlocks : V::kTileBlocks;
}

// A tile of activations, see QuantizedRows.
struct Tile {
  int64_t begin;  // token
  int n;

  // The tile that holds a token of n_tokens, tiles of at most `most` tokens.
  static PARO_INLINE Tile of(int64_t token, int64_t n_tokens, int most) {
    const int64_t span = token / kSpanTokens * kSpanTokens;
    const int n = int(n_tokens - span < kSpanTokens ? n_tokens - span : kSpanTokens);
    const int n_tiles = (n + most - 1) / most;
    const int i = ((int(token - span) + 1) * n_tiles - 1) / n;
    const int begin = n * i / n_tiles;
    return {span + begin, n * (i + 1) / n_tiles - begin};
  }
  PARO_INLINE const uint8_t* data(const QuantizedRows& x) const { return x.data + begin * x.stride; }
};

// out [R * T, 16]: block r, token t at r * T + t. G is the group size if known when compiled, or 0. Many sums stand in
// `out`, which leaves the registers to the integers of one group.
template <class V, int R, int T, int G>
PARO_INLINE void int4_tile(const uint8_t* const* w, const uint8_t* x, int64_t n_groups, int runtime_group, float* out) {
  constexpr bool kInMemory = R * T > V::kRegisterSums;
  const int group = G != 0 ? G : runtime_group;
  const int64_t tile_bytes = group * 8 + 64;
  const int64_t next_tile = (R - 1) * n_groups * tile_bytes;
  const uint8_t* x_scales = x + T * n_groups * group;
  typename V::F y[kInMemory ? 1 : R * T];
  PARO_UNROLL
  for (int i = 0; i < R * T; ++i) {
    if constexpr (kInMemory) {
      V::store(out + 16 * i, V::zero());
    } else {
      y[i] = V::zero();
    }
  }
  for (int64_t g = 0; g < n_groups; ++g, x += T * group, x_scales += T * 8) {
    const int64_t w_begin = g * tile_bytes;
    const int64_t ahead = kPrefetchBytes + (w_begin + kPrefetchBytes < n_groups * tile_bytes ? 0 : next_tile);
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
        constexpr int kAlone = V::kDotsArePaired ? T / 2 * 2 : 0;  // the first token that is
        if constexpr (V::kDotsArePaired) {
          PARO_UNROLL
          for (int r = 0; r < R; ++r) {
            const auto rows = V::zip(low[r], high[r]);
            PARO_UNROLL
            for (int t = 0; t < kAlone; t += 2) {
              const uint8_t* x8 = x + t * group + k0 + k;
              V::dot2(dots[r * T + t], dots[r * T + t + 1], rows, x8, x8 + group);
            }
          }
        }
        PARO_UNROLL
        for (int t = kAlone; t < T; ++t) {
          const int32_t x4 = load_i32(x + t * group + k0 + k);
          PARO_UNROLL
          for (int r = 0; r < R; ++r) dots[r * T + t] = V::dot(dots[r * T + t], low[r], x4);
        }
        PARO_UNROLL
        for (int t = kAlone; t < T; ++t) {
          const int32_t x4 = load_i32(x + t * group + k0 + k + 4);
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
    if constexpr (V::kDotsArePaired) {
      PARO_UNROLL
      for (int r = 0; r < R; ++r) {
        PARO_UNROLL
        for (int t = 0; t + 1 < T; t += 2) V::part(sum[r * T + t], sum[r * T + t + 1]);
      }
    }
    PARO_UNROLL
    for (int r = 0; r < R; ++r) {
      const uint8_t* scales = w[r] + w_begin + group * 8;
      const typename V::F scale = V::load_f16(scales);
      const typename V::F scaled_zero = V::load_f16(scales + 32);
      PARO_UNROLL
      for (int t = 0; t < T; ++t) {
        const int i = r * T + t;
        typename V::F v = kInMemory ? V::load(out + 16 * i) : y[kInMemory ? 0 : i];
        v = V::fma(V::mul(scale, V::set1(load_f32(x_scales + 8 * t))), V::to_float(sum[i]), v);
        v = V::fma(scaled_zero, V::set1(load_f32(x_scales + 8 * t + 4)), v);
        if constexpr (kInMemory) {
          V::store(out + 16 * i, v);
        } else {
          y[i] = v;
        }
      }
    }
  }
  if constexpr (!kInMemory) {
    PARO_UNROLL
    for (int i = 0; i < R * T; ++i) V::store(out + 16 * i, y[i]);
  }
}

template <class V, int R, int T>
PARO_NOINLINE void int4_tile_of(const uint8_t* const* w, const uint8_t* x, int64_t n_groups, int group, float* out) {
  if (group == 128) {
    int4_tile<V, R, T, 128>(w, x, n_groups, group, out);
  } else if (group == 64) {
    int4_tile<V, R, T, 64>(w, x, n_groups, group, out);
  } else {
    int4_tile<V, R, T, 0>(w, x, n_groups, group, out);
  }
}

// n_blocks blocks, at most tile_blocks(T), in as few tiles as there are powers of two in it.
template <class V, int T, int R = tile_blocks<V>(T)>
PARO_INLINE void int4_blocks(const uint8_t* const* w, int n_blocks, const uint8_t* x, int64_t n_groups, int group,
                             float* out) {
  if (n_blocks >= R) {
    int4_tile_of<V, R, T>(w, x, n_groups, group, out);
    w += R;
    n_blocks -= R;
    out += R * T * 16;
  }
  if constexpr (R > 1) {
    if (n_blocks > 0) int4_blocks<V, T, R / 2>(w, n_blocks, x, n_groups, group, out);
  }
}

// Blocks times a tile of n_tokens; out [n_blocks, n_tokens, 16].
template <class V, int T = V::kTileTokens>
PARO_INLINE void int4_tiles(const uint8_t* const* w, int n_blocks, const uint8_t* x, int n_tokens, int64_t n_groups,
                            int group, float* out) {
  if constexpr (T > 1) {
    if (n_tokens < T) return int4_tiles<V, T - 1>(w, n_blocks, x, n_tokens, n_groups, group, out);
  }
  int4_blocks<V, T>(w, n_blocks, x, n_groups, group, out);
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

// Floats of a tile's results.
template <class V>
constexpr int kTileFloats = 16 * (V::kTileBlocks * V::kTileTokens > V::kWideTileBlocks * V::kWideTileTokens
                                      ? V::kTileBlocks * V::kTileTokens
                                      : V::kWideTileBlocks * V::kWideTileTokens);

PARO_INLINE int least(int64_t a, int b) { return a < b ? int(a) : b; }

template <class V>
void int4_linear(const Int4Job& job, int64_t block_begin, int64_t block_end) {
  for (int64_t token = 0; token < job.n;) {
    const Tile tile = Tile::of(token, job.n, V::kTileTokens);
    const int step = tile_blocks<V>(tile.n);
    for (int64_t block = block_begin; block < block_end; block += step) {
      const int n_blocks = least(block_end - block, step);
      const uint8_t* w[kMaxTileBlocks];
      for (int r = 0; r < n_blocks; ++r) w[r] = job.blocks + (block + r) * job.block_bytes;
      alignas(64) float out[kTileFloats<V>];
      int4_tiles<V>(w, n_blocks, tile.data(job.x), tile.n, job.n_groups, job.group_size, out);
      for (int r = 0; r < n_blocks; ++r) {
        for (int t = 0; t < tile.n; ++t) {
          store_row<V>(job.y + (token + t) * job.y_stride, V::load(out + 16 * (r * tile.n + t)), job.bias,
                       (block + r) * kBlockRows, job.n_rows);
        }
      }
    }
    token += tile.n;
  }
}

// Gate and up of the same rows share a tile where they share their input.
template <class V>
void int4_glu(const GluJob& job, int64_t block_begin, int64_t block_end) {
  const bool one_input = job.x_gate.data == job.x_up.data;
  for (int64_t token = 0; token < job.n;) {
    const Tile tile = Tile::of(token, job.n, V::kTileTokens);
    const int n = tile.n;
    const int most = tile_blocks<V>(n);
    const int step = one_input && most > 1 ? most / 2 : most;
    for (int64_t block = block_begin; block < block_end; block += step) {
      const int n_blocks = least(block_end - block, step);
      const uint8_t* w[2 * kMaxTileBlocks];
      for (int r = 0; r < n_blocks; ++r) {
        w[r] = job.gate + (block + r) * job.block_stride;
        w[n_blocks + r] = job.up + (block + r) * job.block_stride;
      }
      alignas(64) float out[2 * kTileFloats<V>];
      float* const up = out + 16 * n_blocks * n;
      if (one_input && most > 1) {
        int4_tiles<V>(w, 2 * n_blocks, tile.data(job.x_gate), n, job.n_groups, job.group_size, out);
      } else {
        int4_tiles<V>(w, n_blocks, tile.data(job.x_gate), n, job.n_groups, job.group_size, out);
        int4_tiles<V>(w + n_blocks, n_blocks, tile.data(job.x_up), n, job.n_groups, job.group_size, up);
      }
      for (int r = 0; r < n_blocks; ++r) {
        const int64_t row = (block + r) * kBlockRows;
        const int n_lanes = least(job.n_rows - row, kBlockRows);
        for (int t = 0; t < n; ++t) {
          auto g = V::load(out + 16 * (r * n + t));
          auto u = V::load(up + 16 * (r * n + t));
          if (job.gate_bias != nullptr) g = V::add(g, V::load_first(job.gate_bias + row, n_lanes));
          if (job.up_bias != nullptr) u = V::add(u, V::load_first(job.up_bias + row, n_lanes));
          store_row<V>(job.y + (token + t) * job.y_stride, V::mul(activate<V>(job.activation, g), u), nullptr, row,
                       job.n_rows);
        }
      }
    }
    token += n;
  }
}

}  // namespace
}  // namespace paro::cpu
