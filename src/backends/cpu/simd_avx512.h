// Sixteen lanes in one register. Included by the AVX-512 files only.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "backends/cpu/kernels_common.h"

namespace paro::cpu {
namespace {

struct Avx512 {
  using F = __m512;
  using I = __m512i;
  using L = __m512i;  // a line of 64 codes
  using D = __m512i;  // sums of 16 bits
  using M = __mmask16;

  static PARO_INLINE F zero() { return _mm512_setzero_ps(); }
  static PARO_INLINE F set1(float x) { return _mm512_set1_ps(x); }
  static PARO_INLINE F load(const float* p) { return _mm512_loadu_ps(p); }
  static PARO_INLINE void store(float* p, F v) { _mm512_storeu_ps(p, v); }
  static PARO_INLINE F load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static PARO_INLINE void store_first(float* p, F v, int n) { _mm512_mask_storeu_ps(p, first(n), v); }
  static PARO_INLINE F load_f16(const void* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  static PARO_INLINE F load_bf16(const void* p) {
    const __m256i h = _mm256_loadu_si256(static_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
  }
  static PARO_INLINE F load_i8(const void* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }
  static PARO_INLINE F load_u8(const void* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
  }
  static PARO_INLINE void store_f16(void* p, F v) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static PARO_INLINE void store_i8(void* p, I v) {
    _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(v));
  }

  static PARO_INLINE void store_i16(void* p, I v) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(v));
  }
  static PARO_INLINE I load_int(const void* p) { return _mm512_loadu_si512(p); }
  static PARO_INLINE void store_int(void* p, I v) { _mm512_storeu_si512(p, v); }

  static PARO_INLINE F add(F a, F b) { return _mm512_add_ps(a, b); }
  static PARO_INLINE F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static PARO_INLINE F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static PARO_INLINE F div(F a, F b) { return _mm512_div_ps(a, b); }
  static PARO_INLINE F max(F a, F b) { return _mm512_max_ps(a, b); }
  static PARO_INLINE F min(F a, F b) { return _mm512_min_ps(a, b); }
  static PARO_INLINE F abs(F a) { return _mm512_abs_ps(a); }
  static PARO_INLINE F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static PARO_INLINE F fnma(F a, F b, F c) { return _mm512_fnmadd_ps(a, b, c); }

  static PARO_INLINE I round(F a) { return _mm512_cvtps_epi32(a); }
  static PARO_INLINE F to_float(I a) { return _mm512_cvtepi32_ps(a); }
  static PARO_INLINE F pow2(I n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
  }
  static PARO_INLINE I izero() { return _mm512_setzero_si512(); }
  static PARO_INLINE I iset1(int32_t x) { return _mm512_set1_epi32(x); }
  static PARO_INLINE I iadd(I a, I b) { return _mm512_add_epi32(a, b); }

  static PARO_INLINE M first(int n) { return M((1u << n) - 1); }
  static PARO_INLINE M range(int begin, int end) { return M(first(end) & ~first(begin)); }  // 0 <= begin <= end <= 16
  static PARO_INLINE F select(M m, F a, F b) { return _mm512_mask_blend_ps(m, b, a); }

  static PARO_INLINE float reduce_add(F v) {
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), upper(v));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
  }
  static PARO_INLINE float reduce_max(F v) {
    const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(v), upper(v));
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
  }
  static PARO_INLINE int32_t ireduce_add(I v) {
    const __m256i h = _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti32x8_epi32(v, 1));
    __m128i q = _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
    q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(q, _mm_shuffle_epi32(q, 0xb1)));
  }

  static PARO_INLINE F gather(const float* base, const uint8_t* index) {
    return _mm512_i32gather_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(index))), base, 4);
  }
  // Element index[lane] of the 16 * n floats in v. Masks come from shifts, since permutes fill the port of tests.
  template <int n>
  static PARO_INLINE F lookup(const F (&v)[n], const uint8_t* index) {
    const I i = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(index)));
    const F a = _mm512_permutex2var_ps(v[0], i, v[1]);
    if constexpr (n == 2) return a;
    const M m32 = _mm512_movepi32_mask(_mm512_slli_epi32(i, 26));
    const F ab = _mm512_mask_blend_ps(m32, a, _mm512_permutex2var_ps(v[2], i, v[3]));
    if constexpr (n == 4) {
      return ab;
    } else {
      const M m64 = _mm512_movepi32_mask(_mm512_slli_epi32(i, 25));
      const F c = _mm512_permutex2var_ps(v[4], i, v[5]);
      const F cd = _mm512_mask_blend_ps(m32, c, _mm512_permutex2var_ps(v[6], i, v[7]));
      return _mm512_mask_blend_ps(m64, ab, cd);
    }
  }

  // to[c][r] = from[r][c] for 16 rows.
  static PARO_INLINE void transpose(const float* const (&from)[16], float* to, int64_t to_stride) {
    F a[16];
    // Rows r, r + 4, r + 8 and r + 12 share registers, so that what remains stays inside 128-bit lanes.
    PARO_UNROLL
    for (int c = 0; c < 4; ++c) {
      PARO_UNROLL
      for (int r = 0; r < 4; ++r) {
        F v = _mm512_castps128_ps512(_mm_loadu_ps(from[r] + 4 * c));
        v = _mm512_mask_broadcast_f32x4(v, 0x00f0, _mm_loadu_ps(from[r + 4] + 4 * c));
        v = _mm512_mask_broadcast_f32x4(v, 0x0f00, _mm_loadu_ps(from[r + 8] + 4 * c));
        a[4 * c + r] = _mm512_mask_broadcast_f32x4(v, 0xf000, _mm_loadu_ps(from[r + 12] + 4 * c));
      }
    }
    PARO_UNROLL
    for (int c = 0; c < 4; ++c) {
      const F* b = a + 4 * c;
      const __m512d p = _mm512_castps_pd(_mm512_unpacklo_ps(b[0], b[1]));
      const __m512d q = _mm512_castps_pd(_mm512_unpacklo_ps(b[2], b[3]));
      const __m512d s = _mm512_castps_pd(_mm512_unpackhi_ps(b[0], b[1]));
      const __m512d t = _mm512_castps_pd(_mm512_unpackhi_ps(b[2], b[3]));
      float* out = to + 4 * c * to_stride;
      store(out, _mm512_castpd_ps(_mm512_unpacklo_pd(p, q)));
      store(out + to_stride, _mm512_castpd_ps(_mm512_unpackhi_pd(p, q)));
      store(out + 2 * to_stride, _mm512_castpd_ps(_mm512_unpacklo_pd(s, t)));
      store(out + 3 * to_stride, _mm512_castpd_ps(_mm512_unpackhi_pd(s, t)));
    }
  }

  static PARO_INLINE L load_line(const uint8_t* p) { return _mm512_loadu_si512(p); }
  static PARO_INLINE L low(L v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
  static PARO_INLINE L high(L v) { return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15)); }
  // 32 int8 as pairs of 16 bits, and their products with the pair x2.
  static PARO_INLINE I load_pairs(const void* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  // In lanes of 16 bits; negative: to the left.
  template <int right>
  static PARO_INLINE L shifted(L v) {
    if constexpr (right >= 0) {
      return _mm512_srli_epi16(v, right);
    } else {
      return _mm512_slli_epi16(v, -right);
    }
  }
  static PARO_INLINE void store_line(uint8_t* p, L v) { _mm512_storeu_si512(p, v); }
  static PARO_INLINE L either(L a, L b) { return _mm512_or_si512(a, b); }
  static PARO_INLINE L two_bits(L v) { return _mm512_and_si512(v, _mm512_set1_epi8(3)); }
  // (low & 15) | (high & 48)
  static PARO_INLINE L six_bits(L low, L high) {
    return _mm512_ternarylogic_epi32(_mm512_set1_epi8(15), low, _mm512_and_si512(high, _mm512_set1_epi8(48)), 0xea);
  }
  static PARO_INLINE void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

  static constexpr bool kDotsArePaired = false;
  static constexpr int kTileBlocks = 2;
  static constexpr int kWideTileBlocks = 4;  // of a tile of few tokens
  static constexpr int kWideTileTokens = 3;
  static constexpr int kRegisterSums = 16;  // of a tile, beside as many integers; past that they stand in memory
  static constexpr int kAttendRows = 8;
  static constexpr int kLookupMax = 8;  // registers that lookup() takes

#if defined(__AVX512VNNI__)
  static constexpr bool kDotsAreWide = true;
  static constexpr int kTileTokens = 12;
  static PARO_INLINE I dot(I sum, L w, int32_t x4) { return _mm512_dpbusd_epi32(sum, w, _mm512_set1_epi32(x4)); }
  static PARO_INLINE I pair_dot(I sum, I w, int32_t x2) { return _mm512_dpwssd_epi32(sum, w, _mm512_set1_epi32(x2)); }
#else
  static constexpr bool kDotsAreWide = false;
  static constexpr int kTileTokens = 4;
  static PARO_INLINE I pair_dot(I sum, I w, int32_t x2) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(w, _mm512_set1_epi32(x2)));
  }
  static PARO_INLINE D dot(D sum, L w, int32_t x4) {
    return _mm512_add_epi16(sum, _mm512_maddubs_epi16(w, _mm512_set1_epi32(x4)));
  }
  static PARO_INLINE I widen(I sum, D d) { return _mm512_add_epi32(sum, _mm512_madd_epi16(d, _mm512_set1_epi16(1))); }
#endif
  static PARO_INLINE D dzero() { return _mm512_setzero_si512(); }

 private:
  static PARO_INLINE __m256 upper(F v) { return _mm512_extractf32x8_ps(v, 1); }
};

}  // namespace
}  // namespace paro::cpu
