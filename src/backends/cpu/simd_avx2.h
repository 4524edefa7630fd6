// Sixteen lanes in two registers. Included by the AVX2 files only.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "backends/cpu/kernels_common.h"

namespace paro::cpu {
namespace {

struct Avx2 {
  struct F {
    __m256 a, b;
  };
  struct I {
    __m256i a, b;
  };
  using L = I;
  using D = I;
  using M = F;  // lanes of all bits or none

  static PARO_INLINE F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static PARO_INLINE F set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static PARO_INLINE F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static PARO_INLINE void store(float* p, F v) {
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
  }
  static PARO_INLINE F load_first(const float* p, int n) {
    const M m = first(n);
    return {_mm256_maskload_ps(p, bits(m.a)), _mm256_maskload_ps(p + 8, bits(m.b))};
  }
  static PARO_INLINE void store_first(float* p, F v, int n) {
    const M m = first(n);
    _mm256_maskstore_ps(p, bits(m.a), v.a);
    _mm256_maskstore_ps(p + 8, bits(m.b), v.b);
  }
  static PARO_INLINE F load_f16(const void* p) {
    const auto* h = static_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(h)), _mm256_cvtph_ps(_mm_loadu_si128(h + 1))};
  }
  static PARO_INLINE F load_bf16(const void* p) {
    const auto* h = static_cast<const __m128i*>(p);
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(h)), 16)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(h + 1)), 16))};
  }
  static PARO_INLINE F load_i8(const void* p) {
    const __m128i v = _mm_loadu_si128(static_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(v, v)))};
  }
  static PARO_INLINE F load_u8(const void* p) {
    const __m128i v = _mm_loadu_si128(static_cast<const __m128i*>(p));
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(v)),
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(v, v)))};
  }
  static PARO_INLINE void store_f16(void* p, F v) {
    auto* h = static_cast<__m128i*>(p);
    _mm_storeu_si128(h, _mm256_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm_storeu_si128(h + 1, _mm256_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static PARO_INLINE void store_i8(void* p, I v) {
    const __m128i x = _mm_packs_epi32(_mm256_castsi256_si128(v.a), _mm256_extracti128_si256(v.a, 1));
    const __m128i y = _mm_packs_epi32(_mm256_castsi256_si128(v.b), _mm256_extracti128_si256(v.b, 1));
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm_packs_epi16(x, y));
  }

  static PARO_INLINE void store_i16(void* p, I v) {
    const __m256i packed = _mm256_packs_epi32(v.a, v.b);
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xd8));
  }
  static PARO_INLINE I load_int(const void* p) {
    const auto* v = static_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
  }
  static PARO_INLINE void store_int(void* p, I v) {
    auto* to = static_cast<__m256i*>(p);
    _mm256_storeu_si256(to, v.a);
    _mm256_storeu_si256(to + 1, v.b);
  }

  static PARO_INLINE F add(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  static PARO_INLINE F sub(F x, F y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
  static PARO_INLINE F mul(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  static PARO_INLINE F div(F x, F y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
  static PARO_INLINE F max(F x, F y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
  static PARO_INLINE F min(F x, F y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
  static PARO_INLINE F abs(F x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
  }
  static PARO_INLINE F fma(F x, F y, F z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
  static PARO_INLINE F fnma(F x, F y, F z) {
    return {_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)};
  }

  static PARO_INLINE I round(F x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
  static PARO_INLINE F to_float(I x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
  static PARO_INLINE F pow2(I n) {
    const I e = iadd(n, iset1(127));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(e.a, 23)), _mm256_castsi256_ps(_mm256_slli_epi32(e.b, 23))};
  }
  static PARO_INLINE I izero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static PARO_INLINE I iset1(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  static PARO_INLINE I iadd(I x, I y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }

  static PARO_INLINE M first(int n) { return range(0, n); }
  static PARO_INLINE M range(int begin, int end) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return {inside(lane, begin, end), inside(_mm256_add_epi32(lane, _mm256_set1_epi32(8)), begin, end)};
  }
  static PARO_INLINE F select(M m, F x, F y) {
    return {_mm256_blendv_ps(y.a, x.a, m.a), _mm256_blendv_ps(y.b, x.b, m.b)};
  }

  static PARO_INLINE float reduce_add(F v) {
    const __m256 h = _mm256_add_ps(v.a, v.b);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
  }
  static PARO_INLINE float reduce_max(F v) {
    const __m256 h = _mm256_max_ps(v.a, v.b);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
  }
  static PARO_INLINE int32_t ireduce_add(I v) {
    const __m256i h = _mm256_add_epi32(v.a, v.b);
    __m128i q = _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
    q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(q, _mm_shuffle_epi32(q, 0xb1)));
  }

  static PARO_INLINE F gather(const float* base, const uint8_t* index) {
    const __m128i i = _mm_loadu_si128(reinterpret_cast<const __m128i*>(index));
    return {_mm256_i32gather_ps(base, _mm256_cvtepu8_epi32(i), 4),
            _mm256_i32gather_ps(base, _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(i, i)), 4)};
  }

  // to[c][r] = from[r][c] for 16 rows.
  static PARO_INLINE void transpose(const float* const (&from)[16], float* to, int64_t to_stride) {
    PARO_UNROLL
    for (int r = 0; r < 16; r += 8) {
      PARO_UNROLL
      for (int c = 0; c < 16; c += 8) transpose8(from + r, c, to + c * to_stride + r, to_stride);
    }
  }

  static PARO_INLINE L load_line(const uint8_t* p) {
    const auto* v = reinterpret_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
  }
  static PARO_INLINE L low(L v) {
    const __m256i m = _mm256_set1_epi8(15);
    return {_mm256_and_si256(v.a, m), _mm256_and_si256(v.b, m)};
  }
  static PARO_INLINE L high(L v) { return low({_mm256_srli_epi16(v.a, 4), _mm256_srli_epi16(v.b, 4)}); }
  // 32 int8 as pairs of 16 bits, and their products with the pair x2.
  static PARO_INLINE I load_pairs(const void* p) {
    const auto* v = static_cast<const __m128i*>(p);
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(v)), _mm256_cvtepi8_epi16(_mm_loadu_si128(v + 1))};
  }
  static PARO_INLINE I pair_dot(I sum, I w, int32_t x2) {
    const __m256i x = _mm256_set1_epi32(x2);
    return iadd(sum, {_mm256_madd_epi16(w.a, x), _mm256_madd_epi16(w.b, x)});
  }
  // In lanes of 16 bits; negative: to the left.
  template <int right>
  static PARO_INLINE L shifted(L v) {
    if constexpr (right >= 0) {
      return {_mm256_srli_epi16(v.a, right), _mm256_srli_epi16(v.b, right)};
    } else {
      return {_mm256_slli_epi16(v.a, -right), _mm256_slli_epi16(v.b, -right)};
    }
  }
  static PARO_INLINE void store_line(uint8_t* p, L v) { store_int(p, v); }
  static PARO_INLINE L either(L v, L w) { return {_mm256_or_si256(v.a, w.a), _mm256_or_si256(v.b, w.b)}; }
  static PARO_INLINE L two_bits(L v) {
    const __m256i m = _mm256_set1_epi8(3);
    return {_mm256_and_si256(v.a, m), _mm256_and_si256(v.b, m)};
  }
  // (low & 15) | (high & 48)
  static PARO_INLINE L six_bits(L low, L high) {
    const __m256i l = _mm256_set1_epi8(15);
    const __m256i h = _mm256_set1_epi8(48);
    return {_mm256_or_si256(_mm256_and_si256(low.a, l), _mm256_and_si256(high.a, h)),
            _mm256_or_si256(_mm256_and_si256(low.b, l), _mm256_and_si256(high.b, h))};
  }
  static PARO_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

  static constexpr bool kDotsArePaired = false;
  static constexpr int kTileBlocks = 1;
  static constexpr int kAttendRows = 3;
  static constexpr int kLookupMax = 0;
  static constexpr int kWideTileBlocks = 2;  // of a tile of few tokens
  static constexpr int kWideTileTokens = 1;
  static constexpr int kTileTokens = 4;
  static constexpr int kRegisterSums = 4;

#if defined(__AVXVNNI__)
  static constexpr bool kDotsAreWide = true;
  static PARO_INLINE I dot(I sum, L w, int32_t x4) {
    const __m256i x = _mm256_set1_epi32(x4);
    return {_mm256_dpbusd_avx_epi32(sum.a, w.a, x), _mm256_dpbusd_avx_epi32(sum.b, w.b, x)};
  }
#else
  static constexpr bool kDotsAreWide = false;
  static PARO_INLINE D dot(D sum, L w, int32_t x4) {
    const __m256i x = _mm256_set1_epi32(x4);
    return {_mm256_add_epi16(sum.a, _mm256_maddubs_epi16(w.a, x)),
            _mm256_add_epi16(sum.b, _mm256_maddubs_epi16(w.b, x))};
  }
  static PARO_INLINE I widen(I sum, D d) {
    const __m256i one = _mm256_set1_epi16(1);
    return iadd(sum, {_mm256_madd_epi16(d.a, one), _mm256_madd_epi16(d.b, one)});
  }
#endif
  static PARO_INLINE D dzero() { return izero(); }

 private:
  static PARO_INLINE __m256 inside(__m256i lane, int begin, int end) {
    return _mm256_castsi256_ps(_mm256_and_si256(_mm256_cmpgt_epi32(lane, _mm256_set1_epi32(begin - 1)),
                                                _mm256_cmpgt_epi32(_mm256_set1_epi32(end), lane)));
  }
  static PARO_INLINE __m256i bits(__m256 x) { return _mm256_castps_si256(x); }

  static PARO_INLINE void transpose8(const float* const* from, int column, float* to, int64_t to_stride) {
    __m256 a[8];
    // Rows r and r + 4 share a register, so that what remains stays inside 128-bit lanes.
    PARO_UNROLL
    for (int c = 0; c < 2; ++c) {
      PARO_UNROLL
      for (int r = 0; r < 4; ++r) {
        const __m256 v = _mm256_castps128_ps256(_mm_loadu_ps(from[r] + column + 4 * c));
        a[4 * c + r] = _mm256_insertf128_ps(v, _mm_loadu_ps(from[r + 4] + column + 4 * c), 1);
      }
    }
    PARO_UNROLL
    for (int c = 0; c < 2; ++c) {
      const __m256* b = a + 4 * c;
      const __m256d p = _mm256_castps_pd(_mm256_unpacklo_ps(b[0], b[1]));
      const __m256d q = _mm256_castps_pd(_mm256_unpacklo_ps(b[2], b[3]));
      const __m256d s = _mm256_castps_pd(_mm256_unpackhi_ps(b[0], b[1]));
      const __m256d t = _mm256_castps_pd(_mm256_unpackhi_ps(b[2], b[3]));
      float* out = to + 4 * c * to_stride;
      _mm256_storeu_ps(out, _mm256_castpd_ps(_mm256_unpacklo_pd(p, q)));
      _mm256_storeu_ps(out + to_stride, _mm256_castpd_ps(_mm256_unpackhi_pd(p, q)));
      _mm256_storeu_ps(out + 2 * to_stride, _mm256_castpd_ps(_mm256_unpacklo_pd(s, t)));
      _mm256_storeu_ps(out + 3 * to_stride, _mm256_castpd_ps(_mm256_unpackhi_pd(s, t)));
    }
  }
};

}  // namespace
}  // namespace paro::cpu
