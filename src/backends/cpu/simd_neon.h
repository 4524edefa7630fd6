// Sixteen lanes in four registers. Included by the files of the ARM sets only.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "backends/cpu/kernels_common.h"

namespace paro::cpu {
namespace {

struct Neon {
  struct F {
    float32x4_t a, b, c, d;
  };
  struct I {
    int32x4_t a, b, c, d;
  };
  struct L {
    uint8x16_t a, b, c, d;
  };
  struct M {
    uint32x4_t a, b, c, d;  // lanes of all bits or none
  };

  static PARO_INLINE F zero() { return set1(0); }
  static PARO_INLINE F set1(float x) { return all(vdupq_n_f32(x)); }
  static PARO_INLINE F load(const float* p) {
    return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
  }
  static PARO_INLINE void store(float* p, F v) {
    vst1q_f32(p, v.a);
    vst1q_f32(p + 4, v.b);
    vst1q_f32(p + 8, v.c);
    vst1q_f32(p + 12, v.d);
  }
  static PARO_INLINE F load_first(const float* p, int n) {
    if (n >= 16) return load(p);
    return {load_quad(p, n), load_quad(p + 4, n - 4), load_quad(p + 8, n - 8), load_quad(p + 12, n - 12)};
  }
  static PARO_INLINE void store_first(float* p, F v, int n) {
    if (n >= 16) return store(p, v);
    store_quad(p, v.a, n);
    store_quad(p + 4, v.b, n - 4);
    store_quad(p + 8, v.c, n - 8);
    store_quad(p + 12, v.d, n - 12);
  }
  // Elements of any type are loaded as bytes, which may lie anywhere.
  static PARO_INLINE F load_f16(const void* p) {
    const float16x8_t h = vreinterpretq_f16_u8(load_bytes(p, 0));
    const float16x8_t g = vreinterpretq_f16_u8(load_bytes(p, 16));
    return {vcvt_f32_f16(vget_low_f16(h)), vcvt_high_f32_f16(h), vcvt_f32_f16(vget_low_f16(g)), vcvt_high_f32_f16(g)};
  }
  static PARO_INLINE F load_bf16(const void* p) {
    const uint16x8_t h = vreinterpretq_u16_u8(load_bytes(p, 0));
    const uint16x8_t g = vreinterpretq_u16_u8(load_bytes(p, 16));
    return {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(h), 16)), vreinterpretq_f32_u32(vshll_high_n_u16(h, 16)),
            vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(g), 16)), vreinterpretq_f32_u32(vshll_high_n_u16(g, 16))};
  }
  static PARO_INLINE F load_i8(const void* p) {
    const int8x16_t v = vreinterpretq_s8_u8(load_bytes(p, 0));
    const int16x8_t h = vmovl_s8(vget_low_s8(v));
    const int16x8_t g = vmovl_high_s8(v);
    return to_float({vmovl_s16(vget_low_s16(h)), vmovl_high_s16(h), vmovl_s16(vget_low_s16(g)), vmovl_high_s16(g)});
  }
  static PARO_INLINE void store_f16(void* p, F v) {
    store_bytes(p, 0, vreinterpretq_u8_f16(vcvt_high_f16_f32(vcvt_f16_f32(v.a), v.b)));
    store_bytes(p, 16, vreinterpretq_u8_f16(vcvt_high_f16_f32(vcvt_f16_f32(v.c), v.d)));
  }
  static PARO_INLINE void store_i8(void* p, I v) {
    const int16x8_t h = vqmovn_high_s32(vqmovn_s32(v.a), v.b);
    const int16x8_t g = vqmovn_high_s32(vqmovn_s32(v.c), v.d);
    store_bytes(p, 0, vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(h), g)));
  }

  static PARO_INLINE void store_i16(void* p, I v) {
    store_bytes(p, 0, vreinterpretq_u8_s16(vqmovn_high_s32(vqmovn_s32(v.a), v.b)));
    store_bytes(p, 16, vreinterpretq_u8_s16(vqmovn_high_s32(vqmovn_s32(v.c), v.d)));
  }
  static PARO_INLINE F load_u8(const void* p) {
    const uint8x16_t v = load_bytes(p, 0);
    const uint16x8_t h = vmovl_u8(vget_low_u8(v));
    const uint16x8_t g = vmovl_high_u8(v);
    return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(h))), vcvtq_f32_u32(vmovl_high_u16(h)),
            vcvtq_f32_u32(vmovl_u16(vget_low_u16(g))), vcvtq_f32_u32(vmovl_high_u16(g))};
  }
  static PARO_INLINE I load_int(const void* p) {
    return {vreinterpretq_s32_u8(load_bytes(p, 0)), vreinterpretq_s32_u8(load_bytes(p, 16)),
            vreinterpretq_s32_u8(load_bytes(p, 32)), vreinterpretq_s32_u8(load_bytes(p, 48))};
  }
  static PARO_INLINE void store_int(void* p, I v) {
    store_bytes(p, 0, vreinterpretq_u8_s32(v.a));
    store_bytes(p, 16, vreinterpretq_u8_s32(v.b));
    store_bytes(p, 32, vreinterpretq_u8_s32(v.c));
    store_bytes(p, 48, vreinterpretq_u8_s32(v.d));
  }

  static PARO_INLINE F add(F x, F y) {
    return {vaddq_f32(x.a, y.a), vaddq_f32(x.b, y.b), vaddq_f32(x.c, y.c), vaddq_f32(x.d, y.d)};
  }
  static PARO_INLINE F sub(F x, F y) {
    return {vsubq_f32(x.a, y.a), vsubq_f32(x.b, y.b), vsubq_f32(x.c, y.c), vsubq_f32(x.d, y.d)};
  }
  static PARO_INLINE F mul(F x, F y) {
    return {vmulq_f32(x.a, y.a), vmulq_f32(x.b, y.b), vmulq_f32(x.c, y.c), vmulq_f32(x.d, y.d)};
  }
  static PARO_INLINE F div(F x, F y) {
    return {vdivq_f32(x.a, y.a), vdivq_f32(x.b, y.b), vdivq_f32(x.c, y.c), vdivq_f32(x.d, y.d)};
  }
  // The second where either is NaN.
  static PARO_INLINE F max(F x, F y) {
    return select({vcgtq_f32(x.a, y.a), vcgtq_f32(x.b, y.b), vcgtq_f32(x.c, y.c), vcgtq_f32(x.d, y.d)}, x, y);
  }
  static PARO_INLINE F min(F x, F y) {
    return select({vcltq_f32(x.a, y.a), vcltq_f32(x.b, y.b), vcltq_f32(x.c, y.c), vcltq_f32(x.d, y.d)}, x, y);
  }
  static PARO_INLINE F abs(F x) { return {vabsq_f32(x.a), vabsq_f32(x.b), vabsq_f32(x.c), vabsq_f32(x.d)}; }
  static PARO_INLINE F fma(F x, F y, F z) {
    return {vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b), vfmaq_f32(z.c, x.c, y.c), vfmaq_f32(z.d, x.d, y.d)};
  }
  static PARO_INLINE F fnma(F x, F y, F z) {
    return {vfmsq_f32(z.a, x.a, y.a), vfmsq_f32(z.b, x.b, y.b), vfmsq_f32(z.c, x.c, y.c), vfmsq_f32(z.d, x.d, y.d)};
  }

  static PARO_INLINE I round(F x) {
    return {vcvtnq_s32_f32(x.a), vcvtnq_s32_f32(x.b), vcvtnq_s32_f32(x.c), vcvtnq_s32_f32(x.d)};
  }
  static PARO_INLINE F to_float(I x) {
    return {vcvtq_f32_s32(x.a), vcvtq_f32_s32(x.b), vcvtq_f32_s32(x.c), vcvtq_f32_s32(x.d)};
  }
  static PARO_INLINE F pow2(I n) {
    const I e = iadd(n, iset1(127));
    return {vreinterpretq_f32_s32(vshlq_n_s32(e.a, 23)), vreinterpretq_f32_s32(vshlq_n_s32(e.b, 23)),
            vreinterpretq_f32_s32(vshlq_n_s32(e.c, 23)), vreinterpretq_f32_s32(vshlq_n_s32(e.d, 23))};
  }
  static PARO_INLINE I izero() { return iset1(0); }
  static PARO_INLINE I iset1(int32_t x) {
    const int32x4_t v = vdupq_n_s32(x);
    return {v, v, v, v};
  }
  static PARO_INLINE I iadd(I x, I y) {
    return {vaddq_s32(x.a, y.a), vaddq_s32(x.b, y.b), vaddq_s32(x.c, y.c), vaddq_s32(x.d, y.d)};
  }

  static PARO_INLINE M first(int n) { return range(0, n); }
  static PARO_INLINE M range(int begin, int end) {
    const int32x4_t lane{0, 1, 2, 3};
    return {inside(lane, begin, end), inside(lane, begin - 4, end - 4), inside(lane, begin - 8, end - 8),
            inside(lane, begin - 12, end - 12)};
  }
  static PARO_INLINE F select(M m, F x, F y) {
    return {vbslq_f32(m.a, x.a, y.a), vbslq_f32(m.b, x.b, y.b), vbslq_f32(m.c, x.c, y.c), vbslq_f32(m.d, x.d, y.d)};
  }

  // Lanes 8 apart first, then 4, 2 and 1.
  static PARO_INLINE float reduce_add(F v) {
    const float32x4_t q = vaddq_f32(vaddq_f32(v.a, v.c), vaddq_f32(v.b, v.d));
    return vpadds_f32(vadd_f32(vget_low_f32(q), vget_high_f32(q)));
  }
  static PARO_INLINE float reduce_max(F v) { return vmaxvq_f32(vmaxq_f32(vmaxq_f32(v.a, v.b), vmaxq_f32(v.c, v.d))); }
  static PARO_INLINE int32_t ireduce_add(I v) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(v.a, v.b), vaddq_s32(v.c, v.d)));
  }

  static PARO_INLINE F gather(const float* base, const uint8_t* index) {
    return {gather_quad(base, index), gather_quad(base, index + 4), gather_quad(base, index + 8),
            gather_quad(base, index + 12)};
  }

  // to[c][r] = from[r][c] for 16 rows.
  static PARO_INLINE void transpose(const float* const (&from)[16], float* to, int64_t to_stride) {
    PARO_UNROLL
    for (int r = 0; r < 16; r += 4) {
      PARO_UNROLL
      for (int c = 0; c < 16; c += 4) transpose_quads(from + r, c, to + c * to_stride + r, to_stride);
    }
  }

  static PARO_INLINE L load_line(const uint8_t* p) {
    return {vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)};
  }
  static PARO_INLINE L low(L v) {
    const uint8x16_t m = vdupq_n_u8(15);
    return {vandq_u8(v.a, m), vandq_u8(v.b, m), vandq_u8(v.c, m), vandq_u8(v.d, m)};
  }
  static PARO_INLINE L high(L v) {
    return {vshrq_n_u8(v.a, 4), vshrq_n_u8(v.b, 4), vshrq_n_u8(v.c, 4), vshrq_n_u8(v.d, 4)};
  }
  // In lanes of 16 bits; negative: to the left.
  template <int right>
  static PARO_INLINE L shifted(L v) {
    return {shift<right>(v.a), shift<right>(v.b), shift<right>(v.c), shift<right>(v.d)};
  }
  static PARO_INLINE void store_line(uint8_t* p, L v) {
    vst1q_u8(p, v.a);
    vst1q_u8(p + 16, v.b);
    vst1q_u8(p + 32, v.c);
    vst1q_u8(p + 48, v.d);
  }
  static PARO_INLINE L either(L v, L w) {
    return {vorrq_u8(v.a, w.a), vorrq_u8(v.b, w.b), vorrq_u8(v.c, w.c), vorrq_u8(v.d, w.d)};
  }
  static PARO_INLINE L two_bits(L v) {
    const uint8x16_t m = vdupq_n_u8(3);
    return {vandq_u8(v.a, m), vandq_u8(v.b, m), vandq_u8(v.c, m), vandq_u8(v.d, m)};
  }
  // (low & 15) | (high & 48)
  static PARO_INLINE L six_bits(L low, L high) {
    return {six(low.a, high.a), six(low.b, high.b), six(low.c, high.c), six(low.d, high.d)};
  }
  // 32 int8 as pairs of 16 bits, and their products with the pair x2.
  static PARO_INLINE I load_pairs(const void* p) {
    const int8x16_t v = vreinterpretq_s8_u8(load_bytes(p, 0));
    const int8x16_t w = vreinterpretq_s8_u8(load_bytes(p, 16));
    return {vreinterpretq_s32_s16(vmovl_s8(vget_low_s8(v))), vreinterpretq_s32_s16(vmovl_high_s8(v)),
            vreinterpretq_s32_s16(vmovl_s8(vget_low_s8(w))), vreinterpretq_s32_s16(vmovl_high_s8(w))};
  }
  static PARO_INLINE I pair_dot(I sum, I w, int32_t x2) {
    const int16x8_t x = vreinterpretq_s16_s32(vdupq_n_s32(x2));
    return {pair_dot(sum.a, w.a, x), pair_dot(sum.b, w.b, x), pair_dot(sum.c, w.c, x), pair_dot(sum.d, w.d, x)};
  }
  static PARO_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }

  static constexpr int kTileBlocks = 1;
  static constexpr int kWideTileBlocks = 2;  // of a tile of few tokens
  static constexpr int kWideTileTokens = 1;
  static constexpr int kRegisterSums = 2;
  static constexpr int kAttendRows = 3;
  static constexpr int kLookupMax = 0;  // 128 floats are all registers there are

#if defined(__ARM_FEATURE_DOTPROD)
  using D = I;
  static constexpr bool kDotsAreWide = true;
#if defined(__ARM_FEATURE_MATMUL_INT8)
  static constexpr int kTileTokens = 4;  // pairs
#else
  static constexpr int kTileTokens = 5;
#endif
  // Codes of four bits are the same with a sign as without. Lane forms take x4 without a broadcast.
  static PARO_INLINE I dot(I sum, L w, int32_t x4) {
    const int8x8_t x = lane_x4(x4);
    return {
        vdotq_lane_s32(sum.a, vreinterpretq_s8_u8(w.a), x, 0), vdotq_lane_s32(sum.b, vreinterpretq_s8_u8(w.b), x, 0),
        vdotq_lane_s32(sum.c, vreinterpretq_s8_u8(w.c), x, 0), vdotq_lane_s32(sum.d, vreinterpretq_s8_u8(w.d), x, 0)};
  }
  static PARO_INLINE D dzero() { return izero(); }
#else
  // Products of 16 bits, four a row.
  struct D {
    int16x8_t a_low, a_high, b_low, b_high, c_low, c_high, d_low, d_high;
  };
  static constexpr bool kDotsAreWide = false;
  static constexpr int kTileTokens = 2;
  static PARO_INLINE D dot(D sum, L w, int32_t x4) {
    const int8x16_t x = set_x4(x4);
    return {multiply_low(sum.a_low, w.a, x),   multiply_high(sum.a_high, w.a, x), multiply_low(sum.b_low, w.b, x),
            multiply_high(sum.b_high, w.b, x), multiply_low(sum.c_low, w.c, x),   multiply_high(sum.c_high, w.c, x),
            multiply_low(sum.d_low, w.d, x),   multiply_high(sum.d_high, w.d, x)};
  }
  // Two times eight products of 15 * 127 fit 16 bits.
  static PARO_INLINE I widen(I sum, D d) {
    return {vpadalq_s16(sum.a, vpaddq_s16(d.a_low, d.a_high)), vpadalq_s16(sum.b, vpaddq_s16(d.b_low, d.b_high)),
            vpadalq_s16(sum.c, vpaddq_s16(d.c_low, d.c_high)), vpadalq_s16(sum.d, vpaddq_s16(d.d_low, d.d_high))};
  }
  static PARO_INLINE D dzero() {
    const int16x8_t v = vdupq_n_s16(0);
    return {v, v, v, v, v, v, v, v};
  }
#endif

#if defined(__ARM_FEATURE_MATMUL_INT8)
  // Products of 2 rows x 8 channels with 8 channels x 2 tokens. The sums of two tokens stand together, row by row,
  // until part() gives each its own.
  static constexpr bool kDotsArePaired = true;
  struct Rows {
    int8x16_t pairs[8];
  };
  static PARO_INLINE Rows zip(L low, L high) {
    return {zip_low(low.a, high.a), zip_high(low.a, high.a), zip_low(low.b, high.b), zip_high(low.b, high.b),
            zip_low(low.c, high.c), zip_high(low.c, high.c), zip_low(low.d, high.d), zip_high(low.d, high.d)};
  }
  static PARO_INLINE void dot2(I& first, I& second, const Rows& w, const uint8_t* x, const uint8_t* next_x) {
    const int8x16_t xs = vreinterpretq_s8_u8(vcombine_u8(vld1_u8(x), vld1_u8(next_x)));
    first = {vmmlaq_s32(first.a, w.pairs[0], xs), vmmlaq_s32(first.b, w.pairs[1], xs),
             vmmlaq_s32(first.c, w.pairs[2], xs), vmmlaq_s32(first.d, w.pairs[3], xs)};
    second = {vmmlaq_s32(second.a, w.pairs[4], xs), vmmlaq_s32(second.b, w.pairs[5], xs),
              vmmlaq_s32(second.c, w.pairs[6], xs), vmmlaq_s32(second.d, w.pairs[7], xs)};
  }
  static PARO_INLINE void part(I& first, I& second) {
    const I even{vuzp1q_s32(first.a, first.b), vuzp1q_s32(first.c, first.d), vuzp1q_s32(second.a, second.b),
                 vuzp1q_s32(second.c, second.d)};
    second = {vuzp2q_s32(first.a, first.b), vuzp2q_s32(first.c, first.d), vuzp2q_s32(second.a, second.b),
              vuzp2q_s32(second.c, second.d)};
    first = even;
  }
#else
  static constexpr bool kDotsArePaired = false;
#endif

 private:
  static PARO_INLINE F all(float32x4_t v) { return {v, v, v, v}; }
  static PARO_INLINE uint8x16_t load_bytes(const void* p, int offset) {
    return vld1q_u8(static_cast<const uint8_t*>(p) + offset);
  }
  static PARO_INLINE void store_bytes(void* p, int offset, uint8x16_t v) {
    vst1q_u8(static_cast<uint8_t*>(p) + offset, v);
  }

#if defined(__ARM_FEATURE_MATMUL_INT8)
  static PARO_INLINE int8x16_t zip_low(uint8x16_t x, uint8x16_t y) {
    return vreinterpretq_s8_u32(vzip1q_u32(vreinterpretq_u32_u8(x), vreinterpretq_u32_u8(y)));
  }
  static PARO_INLINE int8x16_t zip_high(uint8x16_t x, uint8x16_t y) {
    return vreinterpretq_s8_u32(vzip2q_u32(vreinterpretq_u32_u8(x), vreinterpretq_u32_u8(y)));
  }
#endif
  template <int right>
  static PARO_INLINE uint8x16_t shift(uint8x16_t v) {
    const uint16x8_t h = vreinterpretq_u16_u8(v);
    if constexpr (right > 0) {
      return vreinterpretq_u8_u16(vshrq_n_u16(h, right));
    } else {
      return vreinterpretq_u8_u16(vshlq_n_u16(h, -right));
    }
  }
  static PARO_INLINE uint8x16_t six(uint8x16_t low, uint8x16_t high) {
    return vorrq_u8(vandq_u8(low, vdupq_n_u8(15)), vandq_u8(high, vdupq_n_u8(48)));
  }
  static PARO_INLINE int32x4_t pair_dot(int32x4_t sum, int32x4_t w, int16x8_t x) {
    const int16x8_t pairs = vreinterpretq_s16_s32(w);
    return vaddq_s32(sum, vpaddq_s32(vmull_s16(vget_low_s16(pairs), vget_low_s16(x)), vmull_high_s16(pairs, x)));
  }

#if defined(__ARM_FEATURE_DOTPROD)
  static PARO_INLINE int8x8_t lane_x4(int32_t x4) { return vreinterpret_s8_s32(vset_lane_s32(x4, vdup_n_s32(0), 0)); }
#else
  static PARO_INLINE int8x16_t set_x4(int32_t x4) { return vreinterpretq_s8_s32(vdupq_n_s32(x4)); }
  static PARO_INLINE int16x8_t multiply_low(int16x8_t sum, uint8x16_t w, int8x16_t x) {
    return vmlal_s8(sum, vget_low_s8(vreinterpretq_s8_u8(w)), vget_low_s8(x));
  }
  static PARO_INLINE int16x8_t multiply_high(int16x8_t sum, uint8x16_t w, int8x16_t x) {
    return vmlal_high_s8(sum, vreinterpretq_s8_u8(w), x);
  }
#endif

  // n may be below 0 or above 4.
  static PARO_INLINE float32x4_t load_quad(const float* p, int n) {
    if (n >= 4) return vld1q_f32(p);
    float32x4_t v = vdupq_n_f32(0);
    if (n > 0) v = vld1q_lane_f32(p, v, 0);
    if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
    if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
    return v;
  }
  static PARO_INLINE void store_quad(float* p, float32x4_t v, int n) {
    if (n >= 4) return vst1q_f32(p, v);
    if (n > 0) vst1q_lane_f32(p, v, 0);
    if (n > 1) vst1q_lane_f32(p + 1, v, 1);
    if (n > 2) vst1q_lane_f32(p + 2, v, 2);
  }
  static PARO_INLINE uint32x4_t inside(int32x4_t lane, int begin, int end) {
    return vandq_u32(vcgeq_s32(lane, vdupq_n_s32(begin)), vcltq_s32(lane, vdupq_n_s32(end)));
  }
  static PARO_INLINE float32x4_t gather_quad(const float* base, const uint8_t* index) {
    return float32x4_t{base[index[0]], base[index[1]], base[index[2]], base[index[3]]};
  }
  static PARO_INLINE void transpose_quads(const float* const* from, int column, float* to, int64_t to_stride) {
    const float32x4_t r0 = vld1q_f32(from[0] + column);
    const float32x4_t r1 = vld1q_f32(from[1] + column);
    const float32x4_t r2 = vld1q_f32(from[2] + column);
    const float32x4_t r3 = vld1q_f32(from[3] + column);
    const float64x2_t p = vreinterpretq_f64_f32(vtrn1q_f32(r0, r1));
    const float64x2_t q = vreinterpretq_f64_f32(vtrn2q_f32(r0, r1));
    const float64x2_t s = vreinterpretq_f64_f32(vtrn1q_f32(r2, r3));
    const float64x2_t t = vreinterpretq_f64_f32(vtrn2q_f32(r2, r3));
    vst1q_f32(to, vreinterpretq_f32_f64(vtrn1q_f64(p, s)));
    vst1q_f32(to + to_stride, vreinterpretq_f32_f64(vtrn1q_f64(q, t)));
    vst1q_f32(to + 2 * to_stride, vreinterpretq_f32_f64(vtrn2q_f64(p, s)));
    vst1q_f32(to + 3 * to_stride, vreinterpretq_f32_f64(vtrn2q_f64(q, t)));
  }
};

}  // namespace
}  // namespace paro::cpu
