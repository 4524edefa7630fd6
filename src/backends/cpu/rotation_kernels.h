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

// One token, the group held in n registers.
template <class V, int n>
PARO_INLINE void rotate_in_registers(const uint8_t* rotation, int krot, const float* x, float* y) {
  constexpr int group = 16 * n;
  typename V::F v[n];
  PARO_UNROLL
  for (int i = 0; i < n; ++i) v[i] = V::mul(V::load(x + 16 * i), V::load_f16(rotation + 32 * i));
  const uint8_t* round = rotation + 2 * group;
  for (int r = 0; r < krot; ++r, round += 3 * group) {
    typename V::F turned[n];
    PARO_UNROLL
    for (int i = 0; i < n / 2; ++i) {
      const auto xi = V::lookup(v, round + 16 * i);
      const auto xj = V::lookup(v, round + group / 2 + 16 * i);
      const auto c = V::load_f16(round + group + 32 * i);
      const auto s = V::load_f16(round + 2 * group + 32 * i);
      turned[i] = V::fma(s, xj, V::mul(c, xi));
      turned[n / 2 + i] = V::fnma(s, xi, V::mul(c, xj));
    }
    PARO_UNROLL
    for (int i = 0; i < n; ++i) v[i] = turned[i];
  }
  PARO_UNROLL
  for (int i = 0; i < n; ++i) V::store(y + 16 * i, V::lookup(v, round + 16 * i));
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

template <class V>
PARO_INLINE void rotate_one(const uint8_t* rotation, int krot, int group, const float* x, float* y) {
  if constexpr (V::kLookupMax >= 8) {
    if (group == 128) return rotate_in_registers<V, 8>(rotation, krot, x, y);
    if (group == 64) return rotate_in_registers<V, 4>(rotation, krot, x, y);
  }
  rotate_by_gathers<V>(rotation, krot, group, x, y);
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
    const uint8_t* rotation = job.rotation == nullptr ? nullptr : job.rotation + g * rotation_bytes;
    const float* x = job.x + begin * job.x_stride + g * group;
    const bool in_lanes = rotation != nullptr && n_tokens >= kTokensInLanes<V>;
    alignas(64) float turned[16 * kMaxGroup];
    if (in_lanes) rotate_in_lanes<V>(rotation, job.krot, group, x, job.x_stride, n_tokens, turned);
    for (int t = 0; t < n_tokens; ++t) {
      const float* values = x + t * job.x_stride;
      if (in_lanes) {
        values = turned + t * kMaxGroup;
      } else if (rotation != nullptr) {
        rotate_one<V>(rotation, job.krot, group, values, turned);
        values = turned;
      }
      const int64_t token = begin + t;
      const Tile tile = job.q.tiled ? Tile::of(token, job.n, V::kTileTokens) : Tile{token, 1};
      const Place to(job.q, tile, token, g, group);
      quantize_group<V>(values, group, job.plain_sums, to.codes, to.scales);
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
