// int8 tables in two planes (kernels.h): products with either, packing, and single rows. Codes are unpacked once for
// all tokens of a tile; integers are exact inside a group, so that tiles do not show in results.
#pragma once

#include <cstdint>

#include "backends/cpu/dense_kernels.h"
#include "backends/cpu/int4_kernels.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"
#include "backends/cpu/math_kernels.h"
#include "backends/cpu/row_kernels.h"

namespace paro::cpu {
namespace {

constexpr int kTableLineColumns = 16;
template <class V>
constexpr int kTableTokens = V::kTileTokens < 8 ? V::kTileTokens : 8;    // of a tile
constexpr int64_t kRowFloats = 2 * kBlockRows * int64_t(sizeof(float));  // row scales and row bounds

// sum + codes x for 16 columns: lines[i] holds columns 4 i to 4 i + 3. Where dots are narrow, two of 63 * 127 * 2 fit
// 16 bits.
template <class V>
PARO_INLINE void dot16(const typename V::L (&codes)[4], const uint8_t* x, typename V::I& even, typename V::I& odd) {
  if constexpr (V::kDotsAreWide) {
    even = V::dot(even, codes[0], load_i32(x));
    odd = V::dot(odd, codes[1], load_i32(x + 4));
    even = V::dot(even, codes[2], load_i32(x + 8));
    odd = V::dot(odd, codes[3], load_i32(x + 12));
  } else {
    even = V::widen(even, V::dot(V::dot(V::dzero(), codes[0], load_i32(x)), codes[1], load_i32(x + 4)));
    odd = V::widen(odd, V::dot(V::dot(V::dzero(), codes[2], load_i32(x + 8)), codes[3], load_i32(x + 12)));
  }
}

// What differs between the planes.
template <class V>
struct Coarse {
  static constexpr int kLines = 3;        // for each 16 columns
  static constexpr float kStep = 4;       // of a code
  static constexpr float kZero = 126.5f;  // what codes are counted from, in steps of 1
  static PARO_INLINE void unpack(const uint8_t* line, typename V::L (&codes)[4]) {
    const auto first = V::load_line(line);
    const auto second = V::load_line(line + 64);
    const auto upper = V::load_line(line + 128);
    codes[0] = V::six_bits(first, V::template shifted<-4>(upper));
    codes[1] = V::six_bits(V::template shifted<4>(first), V::template shifted<-2>(upper));
    codes[2] = V::six_bits(second, upper);
    codes[3] = V::six_bits(V::template shifted<4>(second), V::template shifted<2>(upper));
  }
};
template <class V>
struct Fine {
  static constexpr int kLines = 1;
  static constexpr float kStep = 1;
  static constexpr float kZero = 1.5f;
  static PARO_INLINE void unpack(const uint8_t* line, typename V::L (&codes)[4]) {
    const auto all = V::load_line(line);
    codes[0] = V::two_bits(all);
    codes[1] = V::two_bits(V::template shifted<2>(all));
    codes[2] = V::two_bits(V::template shifted<4>(all));
    codes[3] = V::two_bits(V::template shifted<6>(all));
  }
};

// One plane of one block times T tokens, out [T, 16].
template <class V, class Plane, int T>
PARO_NOINLINE void table_tile(const TableJob& job, const uint8_t* scales, const uint8_t* line,
                              const uint8_t* const (&x)[kTableTokens<V>], float* out) {
  // Sums that do not wait for each other, where tokens are too few to fill the time.
  constexpr int kChains = T <= 2 ? 2 : 1;
  typename V::F y[T];
  PARO_UNROLL
  for (int t = 0; t < T; ++t) y[t] = V::zero();
  for (int64_t g = 0; g < job.n_groups; ++g) {
    typename V::I sum[T][kChains];
    PARO_UNROLL
    for (int t = 0; t < T; ++t) {
      PARO_UNROLL
      for (int i = 0; i < kChains; ++i) sum[t][i] = V::izero();
    }
    PARO_UNROLL
    for (int k = 0; k < kTableGroup; k += kTableLineColumns, line += Plane::kLines * 64) {
      PARO_UNROLL
      for (int i = 0; i < Plane::kLines; ++i) V::prefetch(line + kPrefetchBytes + 64 * i);
      typename V::L codes[4];
      Plane::unpack(line, codes);
      PARO_UNROLL
      for (int t = 0; t < T; ++t) dot16<V>(codes, x[t] + g * kTableGroup + k, sum[t][0], sum[t][kChains - 1]);
    }
    const auto scale = V::load_u8(scales + g * kBlockRows);
    PARO_UNROLL
    for (int t = 0; t < T; ++t) {
      const uint8_t* x_scales = x[t] + job.x.n_in + g * 8;
      const auto total = V::to_float(kChains == 1 ? sum[t][0] : V::iadd(sum[t][0], sum[t][kChains - 1]));
      // Exact: halves below 2^21.
      const auto centred = V::fma(total, V::set1(Plane::kStep), V::set1(-Plane::kZero * load_f32(x_scales + 4)));
      y[t] = V::fma(V::mul(scale, V::set1(load_f32(x_scales))), centred, y[t]);
    }
  }
  const auto row_scale = V::load(reinterpret_cast<const float*>(scales + job.row_scales_offset));
  PARO_UNROLL
  for (int t = 0; t < T; ++t) V::store(out + 16 * t, V::mul(row_scale, y[t]));
}

template <class V, class Plane, int T = kTableTokens<V>>
PARO_INLINE void table_tiles(const TableJob& job, const uint8_t* scales, const uint8_t* line,
                             const uint8_t* const (&x)[kTableTokens<V>], int n_tokens, float* out) {
  if constexpr (T > 1) {
    if (n_tokens < T) return table_tiles<V, Plane, T - 1>(job, scales, line, x, n_tokens, out);
  }
  table_tile<V, Plane, T>(job, scales, line, x, out);
}

// The largest of the first n lanes; what is no number counts as lowest.
template <class V>
PARO_INLINE float largest_of(typename V::F v, int n) {
  const auto lowest = V::set1(-__builtin_inff());
  return V::reduce_max(V::select(V::first(n), V::max(v, lowest), lowest));
}

PARO_INLINE int rows_in_block(const TableJob& job, int64_t block) {
  const int64_t left = job.n_rows - block * kBlockRows;
  return left < kBlockRows ? int(left) : kBlockRows;
}

template <class V>
void table_coarse(const TableJob& job, int64_t block_begin, int64_t block_end) {
  const int64_t n_tiles = (job.n + kTableTokens<V> - 1) / kTableTokens<V>;
  for (int64_t block = block_begin; block < block_end; ++block) {
    const uint8_t* scales = job.coarse + block * job.coarse_block_bytes;
    const uint8_t* row_floats = scales + job.row_scales_offset;
    for (int64_t tile = 0; tile < n_tiles; ++tile) {
      const int64_t begin = job.n * tile / n_tiles;
      const int n = int(job.n * (tile + 1) / n_tiles - begin);
      const uint8_t* x[kTableTokens<V>];
      for (int t = 0; t < n; ++t) x[t] = job.x.data + (begin + t) * job.x.stride;
      alignas(64) float out[kTableTokens<V> * 16];
      table_tiles<V, Coarse<V>>(job, scales, row_floats + kRowFloats, x, n, out);
      for (int t = 0; t < n; ++t) {
        const auto logits = V::load(out + 16 * t);
        store_row<V>(job.y + (begin + t) * job.y_stride, logits, nullptr, block * kBlockRows, job.n_rows);
        if (job.norms == nullptr) continue;
        const auto row_bounds = V::load(reinterpret_cast<const float*>(row_floats) + kBlockRows);
        const auto bound = V::mul(row_bounds, V::set1(job.norms[begin + t]));
        const int64_t i = (begin + t) * job.n_blocks + block;
        // Rounding is monotonic: the sum of both parts, rounded as well, lies between these two.
        job.lower[i] = largest_of<V>(V::sub(logits, bound), rows_in_block(job, block));
        job.upper[i] = largest_of<V>(V::add(logits, bound), rows_in_block(job, block));
      }
    }
  }
}

template <class V>
void table_fine(const TableJob& job, int64_t block_begin, int64_t block_end) {
  for (int64_t block = block_begin; block < block_end; ++block) {
    const uint8_t* scales = job.coarse + block * job.coarse_block_bytes;
    const uint8_t* line = job.fine + block * job.fine_block_bytes;
    const uint8_t* x[kTableTokens<V>];
    float* y[kTableTokens<V>];
    int n = 0;
    const auto add_tile = [&] {
      alignas(64) float out[kTableTokens<V> * 16];
      table_tiles<V, Fine<V>>(job, scales, line, x, n, out);
      const int n_lanes = rows_in_block(job, block);
      for (int t = 0; t < n; ++t) {
        store_n<V>(y[t], V::add(load_n<V>(y[t], n_lanes), V::load(out + 16 * t)), n_lanes);
      }
      n = 0;
    };
    for (int64_t t = 0; t < job.n; ++t) {
      if (job.thresholds != nullptr && job.upper[t * job.n_blocks + block] < job.thresholds[t]) continue;
      x[n] = job.x.data + t * job.x.stride;
      y[n] = job.y + t * job.y_stride + block * kBlockRows;
      if (++n == kTableTokens<V>) add_tile();
    }
    if (n > 0) add_tile();
  }
  if (job.softcap <= 0) return;
  for (int64_t t = 0; t < job.n; ++t) {
    for (int64_t block = block_begin; block < block_end; ++block) {
      float* y = job.y + t * job.y_stride + block * kBlockRows;
      const int n_lanes = rows_in_block(job, block);
      store_n<V>(y, softcap<V>(load_n<V>(y, n_lanes), job.softcap), n_lanes);
    }
  }
}

// Sixteen codes of a row as four words, columns 4 i to 4 i + 3 in word i, from their places in both planes.
PARO_INLINE void load_codes(const uint8_t* coarse, const uint8_t* fine, uint32_t (&codes)[4]) {
  uint32_t nibbles[2], upper, lower;
  __builtin_memcpy(nibbles, coarse, 4);
  __builtin_memcpy(nibbles + 1, coarse + 64, 4);
  __builtin_memcpy(&upper, coarse + 128, 4);
  __builtin_memcpy(&lower, fine, 4);
  for (int i = 0; i < 4; ++i) {
    codes[i] = (nibbles[i / 2] >> 4 * (i % 2) & 0x0f0f0f0fu) << 2 | (upper >> 2 * i & 0x03030303u) << 6 |
               (lower >> 2 * i & 0x03030303u);
  }
}

// 16 columns of a block, a line for each four, to their places in both planes.
template <class V>
PARO_INLINE void store_planes(const uint8_t* lines, uint8_t* coarse, uint8_t* fine) {
  typename V::L l[4];
  PARO_UNROLL
  for (int i = 0; i < 4; ++i) l[i] = V::load_line(lines + 64 * i);
  const auto nibbles = [](typename V::L first, typename V::L second) {
    return V::either(V::low(V::template shifted<2>(first)),
                     V::template shifted<-4>(V::low(V::template shifted<2>(second))));
  };
  const auto pairs = [](typename V::L a, typename V::L b, typename V::L c, typename V::L d) {
    return V::either(V::either(V::two_bits(a), V::template shifted<-2>(V::two_bits(b))),
                     V::either(V::template shifted<-4>(V::two_bits(c)), V::template shifted<-6>(V::two_bits(d))));
  };
  V::store_line(coarse, nibbles(l[0], l[1]));
  V::store_line(coarse + 64, nibbles(l[2], l[3]));
  V::store_line(coarse + 128, pairs(V::template shifted<6>(l[0]), V::template shifted<6>(l[1]),
                                    V::template shifted<6>(l[2]), V::template shifted<6>(l[3])));
  V::store_line(fine, pairs(l[0], l[1], l[2], l[3]));
}

template <class V, Element element>
PARO_INLINE float largest_in_group(const uint8_t* row, int64_t g) {
  auto largest = V::zero();
  for (int k = 0; k < kTableGroup; k += 16) {
    largest = V::max(largest, V::abs(load_element<V, element>(row, g * kTableGroup + k)));
  }
  return V::reduce_max(largest);
}

// A row of nothing but the smallest numbers becomes zero.
PARO_INLINE float inverse_of(float step) { return step > 1e-37f ? 1.0f / step : 0.0f; }

template <class V>
PARO_INLINE typename V::I round_codes(typename V::F v, float inverse) {
  v = V::mul(v, V::set1(inverse));
  return V::round(V::max(V::set1(-127.0f), V::min(V::set1(127.0f), v)));
}

// The scale of a group, in row scales: rounded up, for codes to stay within +-127.
template <class V, Element element>
PARO_INLINE int scale_of_group(const uint8_t* row, int64_t g, float row_scale) {
  const float wanted = largest_in_group<V, element>(row, g) * (1.0f / 127.0f) / row_scale;
  const int scale = wanted > 1 ? (wanted < 255 ? int(wanted) : 255) : 1;
  return scale < 255 && float(scale) < wanted ? scale + 1 : scale;
}

// At least row_scale * ||scale * (fine - 1.5)|| of a row, given the sum of squares of scale * (2 fine - 3). The float
// sum of n_groups products is off by less than n_groups + 2 roundings of the sum of their magnitudes, which the product
// of norms bounds as well; twice that covers what rounding does to bound and norm themselves.
PARO_INLINE float row_bound(float row_scale, int64_t squares, int64_t n_groups) {
  const double bound = row_scale * __builtin_sqrt(double(squares)) * 0.5 * (1 + double(n_groups + 8) * 0x1p-23);
  float rounded = float(bound);
  uint32_t bits;
  __builtin_memcpy(&bits, &rounded, sizeof bits);
  if (bits < 0x7f800000u) ++bits;  // up
  __builtin_memcpy(&rounded, &bits, sizeof bits);
  return rounded;
}

// Codes of a group; tells how many of them have two low bits that are alike.
template <class V, Element element>
PARO_INLINE int code_group(const uint8_t* row, int64_t g, float inverse, uint8_t* codes) {
  for (int k = 0; k < kTableGroup; k += 16) {
    V::store_i8(codes + k, round_codes<V>(load_element<V, element>(row, g * kTableGroup + k), inverse));
  }
  uint64_t alike = 0;  // up to four a byte
  for (int k = 0; k < kTableGroup; k += 8) {
    uint64_t word;
    __builtin_memcpy(&word, codes + k, 8);
    word ^= 0x8080808080808080u;
    __builtin_memcpy(codes + k, &word, 8);
    alike += ~(word ^ word >> 1) & 0x0101010101010101u;
  }
  return int(alike * 0x0101010101010101u >> 56);
}

template <class V, Element element>
void pack_table_rows(const uint8_t* rows, int64_t stride, int n_rows, int64_t n_groups, int64_t row_scales_offset,
                     uint8_t* coarse, uint8_t* fine) {
  constexpr int kGroups = 2;  // at a time
  constexpr int kColumns = kGroups * kTableGroup;
  uint8_t* row_floats = coarse + row_scales_offset;
  float row_scales[kBlockRows] = {};
  int64_t squares[kBlockRows] = {};
  for (int r = 0; r < n_rows; ++r) {
    float largest = 0;
    for (int64_t g = 0; g < n_groups; ++g) {
      const float in_group = largest_in_group<V, element>(rows + r * stride, g);
      if (in_group > largest) largest = in_group;
    }
    row_scales[r] = largest * (1.0f / 127.0f / 255.0f);
  }
  // Four codes each: of a row side by side, then of a column of four.
  alignas(64) float words[kBlockRows][kColumns / 4] = {};
  alignas(64) float lines[kColumns / 4][kBlockRows];
  const float* from[kBlockRows];
  for (int r = 0; r < kBlockRows; ++r) from[r] = words[r];
  for (int64_t g = 0; g < n_groups; g += kGroups) {
    const int n = int(n_groups - g < kGroups ? n_groups - g : kGroups);
    for (int r = 0; r < n_rows; ++r) {
      const uint8_t* row = rows + r * stride;
      auto* const codes = reinterpret_cast<uint8_t*>(words[r]);
      for (int i = 0; i < n; ++i) {
        const int scale = scale_of_group<V, element>(row, g + i, row_scales[r]);
        coarse[(g + i) * kBlockRows + r] = uint8_t(scale);
        const float inverse = inverse_of(row_scales[r] * float(scale));
        const int n_outer = code_group<V, element>(row, g + i, inverse, codes + i * kTableGroup);
        squares[r] += int64_t(scale) * scale * (kTableGroup + 8 * n_outer);
      }
    }
    V::transpose(from, lines[0], kBlockRows);
    for (int k = 0; k < n * kTableGroup; k += kTableLineColumns) {
      const int64_t line = (g * kTableGroup + k) / kTableLineColumns;
      store_planes<V>(reinterpret_cast<const uint8_t*>(lines[k / 4]), row_floats + kRowFloats + line * 192,
                      fine + line * 64);
    }
  }
  for (int r = 0; r < n_rows; ++r) {
    const float bound = row_bound(row_scales[r], squares[r], n_groups);
    __builtin_memcpy(row_floats + r * 4, row_scales + r, 4);
    __builtin_memcpy(row_floats + (kBlockRows + r) * 4, &bound, 4);
  }
}

template <class V>
void pack_table_block(const uint8_t* rows, int64_t stride, int n_rows, Element element, int64_t n_groups,
                      int64_t row_scales_offset, uint8_t* coarse, uint8_t* fine) {
  switch (element) {
    case Element::f16:
      return pack_table_rows<V, Element::f16>(rows, stride, n_rows, n_groups, row_scales_offset, coarse, fine);
    case Element::bf16:
      return pack_table_rows<V, Element::bf16>(rows, stride, n_rows, n_groups, row_scales_offset, coarse, fine);
    default:
      return pack_table_rows<V, Element::f32>(rows, stride, n_rows, n_groups, row_scales_offset, coarse, fine);
  }
}

template <class V>
void table_row(const uint8_t* coarse, const uint8_t* fine, int64_t row_scales_offset, int64_t n_groups, int lane,
               float factor, float* y) {
  const uint8_t* row_floats = coarse + row_scales_offset;
  const float row_scale = load_f32(row_floats + lane * 4);
  for (int64_t g = 0; g < n_groups; ++g) {
    const auto scale = V::set1(row_scale * float(coarse[g * kBlockRows + lane]));
    for (int k = 0; k < kTableGroup; k += kTableLineColumns) {
      const int64_t line = (g * kTableGroup + k) / kTableLineColumns;
      uint32_t codes[4];
      load_codes(row_floats + kRowFloats + line * 192 + 4 * lane, fine + line * 64 + 4 * lane, codes);
      for (uint32_t& code : codes) code ^= 0x80808080u;
      V::store(y + g * kTableGroup + k, V::mul(V::mul(V::load_i8(codes), scale), V::set1(factor)));
    }
  }
}

}  // namespace
}  // namespace paro::cpu
