// Rows of int4 tables (kernels.h): packing and looking up. What is packed, and what comes out, is the same to the bit
// in every instruction set, and that of the reference.
#pragma once

#include <cstdint>

#include "backends/cpu/dense_kernels.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels_common.h"

namespace paro::cpu {
namespace {

constexpr uint64_t kLowNibbles = 0x0f0f0f0f0f0f0f0fu;

// An f16 in all lanes.
template <class V>
PARO_INLINE typename V::F broadcast_f16(uint16_t half) {
  uint16_t halves[16];
  for (uint16_t& h : halves) h = half;
  return V::load_f16(halves);
}

// The f16 of v >= 0, rounded up so that codes stay within +-8, at most the largest one.
template <class V>
PARO_INLINE uint16_t f16_above(float v) {
  v = v < 65504.0f ? v : 65504.0f;
  uint16_t halves[16];
  V::store_f16(halves, V::set1(v));
  return uint16_t(halves[0] + (V::reduce_max(V::load_f16(halves)) < v));
}

// The element that is farthest from zero becomes -8, whichever its sign: 7 is as far as codes go on the other side.
template <class V, Element element>
void pack_int4_groups(const uint8_t* row, int64_t n_groups, uint8_t* packed) {
  for (int64_t g = 0; g < n_groups; ++g, packed += kInt4TableGroupBytes) {
    typename V::F v[2];
    for (int i = 0; i < 2; ++i) v[i] = load_element<V, element>(row, g * kTableGroup + 16 * i);
    const float above_zero = V::reduce_max(V::max(v[0], v[1]));
    const float below_zero = V::reduce_max(V::sub(V::zero(), V::min(v[0], v[1])));
    const bool is_positive = above_zero >= below_zero;
    const uint16_t magnitude = f16_above<V>((is_positive ? above_zero : below_zero) * 0.125f);
    const auto scale = uint16_t(magnitude | (is_positive ? 0x8000 : 0));
    const float step = V::reduce_max(broadcast_f16<V>(scale));
    const auto inverse = V::set1(magnitude == 0 ? 0.0f : 1.0f / step);

    uint64_t words[2][2];
    for (int i = 0; i < 2; ++i) {
      V::store_i8(words[i], V::round(V::max(V::set1(-8), V::min(V::set1(7), V::mul(v[i], inverse)))));
    }
    __builtin_memcpy(packed, &scale, 2);
    for (int i = 0; i < 2; ++i) {
      // In four bits, code ^ 8 is code + 8.
      const uint64_t codes = (words[0][i] & kLowNibbles) | (words[1][i] & kLowNibbles) << 4;
      const uint64_t counted = codes ^ 0x8888888888888888u;
      __builtin_memcpy(packed + 2 + 8 * i, &counted, 8);
    }
  }
}

template <class V>
void pack_int4_row(const uint8_t* row, Element element, int64_t n_groups, uint8_t* packed) {
  switch (element) {
    case Element::f16:
      return pack_int4_groups<V, Element::f16>(row, n_groups, packed);
    case Element::bf16:
      return pack_int4_groups<V, Element::bf16>(row, n_groups, packed);
    default:
      return pack_int4_groups<V, Element::f32>(row, n_groups, packed);
  }
}

template <class V>
void int4_row(const uint8_t* packed, int64_t n_groups, float factor, float* y) {
  for (int64_t g = 0; g < n_groups; ++g, packed += kInt4TableGroupBytes) {
    uint16_t half;
    uint64_t words[2];
    __builtin_memcpy(&half, packed, 2);
    __builtin_memcpy(words, packed + 2, 16);
    const auto scale = broadcast_f16<V>(half);
    for (int i = 0; i < 2; ++i) {
      const uint64_t codes[2] = {words[0] >> 4 * i & kLowNibbles, words[1] >> 4 * i & kLowNibbles};
      const auto v = V::mul(V::sub(V::load_u8(codes), V::set1(8)), scale);
      V::store(y + g * kTableGroup + 16 * i, V::mul(v, V::set1(factor)));
    }
  }
}

}  // namespace
}  // namespace paro::cpu
