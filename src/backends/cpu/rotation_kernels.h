// From float activations to int8 codes: channel scales, rotation, scale and sum of each group, in one go while the
// group is at hand. One token turns in registers (or by gathers), many turn with a token in each lane; every element
// sees the same operations either way: xi' = fma(s, xj, c xi), xj' = fma(-s, xi, c xj).
#pragma once

#include <cstdint>

#include "backends/cpu/int4_kernels.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"

namespace paro::cpu {
namespace {

// From this many tokens on, lanes of tokens beat turning each in registers.
template <class V>
constexpr int kTokensInLanes = V::kLookupMax > 0 ? 10 : 3;

template <class V>
PARO_INLINE void quantize_group(const float* x, int group, bool plain_sums, uint8_t* codes, uint8_t* scales) {
  auto largest = V::zero();
  for (int k = 0; k < group; k += 16) largest = V::max(largest, V::abs(V::load(x + k)));
  const float absmax = V::reduce_max(largest);
  const float inverse = absmax > 0 ? 127.0f / absmax : 0.0f;
  const float scale = absmax * (1.0f / 127.0f);
  auto sum = V::izero();
  for (int k = 0; k < group; k += 16) {
    const auto code = V::round(V::mul(V::load(x + k), V::set1(inverse)));
    V::store_i8(codes + k, code);
    sum = V::iadd(sum, code);
  }
  const auto total = float(V::ireduce_add(sum));
  const float correction = plain_sums ? total : -scale * total;
  __builtin_memcpy(scales, &scale, sizeof scale);
  __builtin_memcpy(scales + 4, &correction, sizeof correction);
}

// A few tokens, the group of each held in n registers: they share the indices, and none waits for its own last round.
// Rows of y are kMaxGroup apart.
template <class V, int n, int n_tokens>
PARO_INLINE void rotate_in_registers(const uint8_t* rotation, int krot, const float* x, int64_t x_stride, float* y) {
  constexpr int group = 16 * n;
  typename V::F v[n_tokens][n];
  PARO_UNROLL
  for (int i = 0; i < n; ++i) {
    const auto scale = V::load_f16(rotation + 32 * i);
    PARO_UNROLL
    for (int t = 0; t < n_tokens; ++t) v[t][i] = V::mul(V::load(x + t * x_stride + 16 * i), scale);
  }
  const uint8_t* round = rotation + 2 * group;
  for (int r = 0; r < krot; ++r, round += 3 * group) {
    typename V::F turned[n_tokens][n];
    PARO_UNROLL
    for (int i = 0; i < n / 2; ++i) {
      const auto c = V::load_f16(round + group + 32 * i);
      const auto s = V::load_f16(round + 2 * group + 32 * i);
      PARO_UNROLL
      for (int t = 0; t < n_tokens; ++t) {
        const auto xi = V::lookup(v[t], round + 16 * i);
        const auto xj = V::lookup(v[t], round + group / 2 + 16 * i);
        turned[t][i] = V::fma(s, xj, V::mul(c, xi));
        turned[t][n / 2 + i] = V::fnma(s, xi, V::mul(c, xj));
      }
    }
    PARO_UNROLL
    for (int t = 0; t < n_tokens; ++t) {
      PARO_UNROLL
      for (int i = 0; i < n; ++i) v[t][i] = turned[t][i];
    }
  }
  PARO_UNROLL
  for (int t = 0; t < n_tokens; ++t) {
    PARO_UNROLL
    for (int i = 0; i < n; ++i) V::store(y + t * kMaxGroup + 16 * i, V::lookup(v[t], round + 16 * i));
  }
}

template <class V>
void rotate_by_gathers(const uint8_t* rotation, int krot, int group, const float* x, float* y) {
  alignas(64) float buffers[2][kMaxGroup];
  float* from = buffers[0];
  float* to = buffers[1];
  for (int i = 0; i < group; i += 16) V::store(from + i, V::mul(V::load(x + i), V::load_f16(rotation + 2 * i)));
  const uint8_t* round = rotation + 2 * group;
  for (int r = 0; r < krot; ++r, round += 3 * group) {
    for (int i = 0; i < group / 2; i += 16) {
      const auto xi = V::gather(from, round + i);
      const auto xj = V::gather(from, round + group / 2 + i);
      const auto c = V::load_f16(round + group + 2 * i);
      const auto s = V::load_f16(round + 2 * group + 2 * i);
      V::store(to + i, V::fma(s, xj, V::mul(c, xi)));
      V::store(to + group / 2 + i, V::fnma(s, xi, V::mul(c, xj)));
    }
    float* const turned = to;
    to = from;
    from = turned;
  }
  for (int i = 0; i < group; i += 16) V::store(y + i, V::gather(from, round + i));
}

// Up to 16 tokens; rows of y are kMaxGroup apart.
template <class V>
void rotate_in_lanes(const uint8_t* rotation, int krot, int group, const float* x, int64_t x_stride, int n_tokens,
                     float* y) {
  alignas(64) float buffers[2][kMaxGroup * 16];
  alignas(64) float angles[kMaxGroup];  // cos, then sin
  float* from = buffers[0];
  float* to = buffers[1];
  const float* rows[16];
  for (int k = 0; k < group; k += 16) {
    for (int t = 0; t < 16; ++t) rows[t] = x + (t < n_tokens ? t : 0) * x_stride + k;
    V::transpose(rows, from + 16 * k, 16);
    V::store(angles + k, V::load_f16(rotation + 2 * k));
  }
  for (int k = 0; k < group; ++k) V::store(from + 16 * k, V::mul(V::load(from + 16 * k), V::set1(angles[k])));
  const uint8_t* round = rotation + 2 * group;
  const int half = group / 2;
  for (int r = 0; r < krot; ++r, round += 3 * group) {
    for (int i = 0; i < group; i += 16) V::store(angles + i, V::load_f16(round + group + 2 * i));
    for (int i = 0; i < half; ++i) {
      const auto xi = V::load(from + 16 * round[i]);
      const auto xj = V::load(from + 16 * round[half + i]);
      const auto c = V::set1(angles[i]);
      const auto s = V::set1(angles[half + i]);
      V::store(to + 16 * i, V::fma(s, xj, V::mul(c, xi)));
      V::store(to + 16 * (half + i), V::fnma(s, xi, V::mul(c, xj)));
    }
    float* const turned = to;
    to = from;
    from = turned;
  }
  for (int k = 0; k < group; k += 16) {
    for (int i = 0; i < 16; ++i) rows[i] = from + 16 * round[k + i];
    V::transpose(rows, y + k, kMaxGroup);
  }
}

template <class V, int n>
void rotate_each(const uint8_t* rotation, int krot, const float* x, int64_t x_stride, int n_tokens, float* y) {
  int t = 0;
  for (; t + 2 <= n_tokens; t += 2) {
    rotate_in_registers<V, n, 2>(rotation, krot, x + t * x_stride, x_stride, y + t * kMaxGroup);
  }
  if (t < n_tokens) rotate_in_registers<V, n, 1>(rotation, krot, x + t * x_stride, x_stride, y + t * kMaxGroup);
}

// Up to 16 tokens; rows of y are kMaxGroup apart.
template <class V>
PARO_INLINE void rotate(const uint8_t* rotation, int krot, int group, const float* x, int64_t x_stride, int n_tokens,
                        float* y) {
  if (n_tokens >= kTokensInLanes<V>) return rotate_in_lanes<V>(rotation, krot, group, x, x_stride, n_tokens, y);
  if constexpr (V::kLookupMax >= 8) {
    if (group == 128) return rotate_each<V, 8>(rotation, krot, x, x_stride, n_tokens, y);
    if (group == 64) return rotate_each<V, 4>(rotation, krot, x, x_stride, n_tokens, y);
  }
  for (int t = 0; t < n_tokens; ++t) {
    rotate_by_gathers<V>(rotation, krot, group, x + t * x_stride, y + t * kMaxGroup);
  }
}

// Where group g of a token goes.
struct Place {
  uint8_t* codes;
  uint8_t* scales;

  Place(const QuantizedRows& x, const Tile& tile, int64_t token, int64_t g, int group)
      : codes(x.data + tile.begin * x.stride + (g * tile.n + token - tile.begin) * group),
        scales(x.data + tile.begin * x.stride + tile.n * x.n_in + (g * tile.n + token - tile.begin) * 8) {}
};

template <class V>
void quantize(const QuantizeJob& job, int64_t unit_begin, int64_t unit_end) {
  const int group = job.group_size;
  const int64_t rotation_bytes = 3 * int64_t(group) * (job.krot + 1);
  for (int64_t unit = unit_begin; unit < unit_end; ++unit) {
    const int64_t begin = unit / job.n_groups * kTokenBlock;
    const int64_t g = unit % job.n_groups;
    const int n_tokens = int(job.n - begin < kTokenBlock ? job.n - begin : kTokenBlock);
    const float* x = job.x + begin * job.x_stride + g * group;
    int64_t x_stride = job.x_stride;
    alignas(64) float turned[16 * kMaxGroup];
    if (job.rotation != nullptr) {
      rotate<V>(job.rotation + g * rotation_bytes, job.krot, group, x, x_stride, n_tokens, turned);
      x = turned;
      x_stride = kMaxGroup;
    }
    for (int t = 0; t < n_tokens; ++t) {
      const int64_t token = begin + t;
      const Tile tile = job.q.tiled ? Tile::of(token, job.n, V::kTileTokens) : Tile{token, 1};
      const Place to(job.q, tile, token, g, group);
      quantize_group<V>(x + t * x_stride, group, job.plain_sums, to.codes, to.scales);
    }
  }
}

template <class V>
void gather_tiles(const QuantizedRows& x, int group, const int32_t* index, int n, const QuantizedRows& tiles) {
  for (int t = 0; t < n; ++t) {
    const Tile tile = Tile::of(t, n, V::kTileTokens);
    for (int64_t g = 0; g < x.n_in / group; ++g) {
      const Place from(x, {index[t], 1}, index[t], g, group);
      const Place to(tiles, tile, t, g, group);
      for (int k = 0; k < group; k += 32) __builtin_memcpy(to.codes + k, from.codes + k, 32);
      __builtin_memcpy(to.scales, from.scales, 8);
    }
  }
}

}  // namespace
}  // namespace paro::cpu
