// Sixteen lanes in the compiler's vectors: any processor, without its name.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels_common.h"

namespace paro::cpu {
namespace {

struct Generic {
  typedef float F __attribute__((vector_size(64)));
  typedef int32_t I __attribute__((vector_size(64)));
  typedef uint32_t U __attribute__((vector_size(64)));
  typedef uint16_t L __attribute__((vector_size(64)));
  typedef int8_t B __attribute__((vector_size(16)));
  typedef int16_t S __attribute__((vector_size(64)));
  typedef int8_t Bytes __attribute__((vector_size(32)));
  typedef uint8_t UB __attribute__((vector_size(16)));
  typedef uint16_t H __attribute__((vector_size(32)));
  using D = L;
  using M = I;  // lanes of -1 or 0

  static PARO_INLINE F zero() { return F{}; }
  static PARO_INLINE F set1(float x) { return F{} + x; }
  static PARO_INLINE F load(const float* p) { return load_as<F>(p); }
  static PARO_INLINE void store(float* p, F v) { __builtin_memcpy(p, &v, sizeof v); }
  static PARO_INLINE F load_first(const float* p, int n) {
    F v{};
    __builtin_memcpy(&v, p, std::size_t(n) * sizeof(float));
    return v;
  }
  static PARO_INLINE void store_first(float* p, F v, int n) { __builtin_memcpy(p, &v, std::size_t(n) * sizeof(float)); }
  // The exponent is moved by a product, which is exact and takes in subnormals.
  static PARO_INLINE F load_f16(const void* p) {
    const U h = __builtin_convertvector(load_as<H>(p), U);
    const U magnitude = h & 0x7fff;
    const U finite = U(F(magnitude << 13) * 0x1p112f);
    const U special = magnitude << 13 | 0x7f800000u;
    const U is_special = U(I(magnitude) >= 0x7c00);
    return F((h & 0x8000) << 16 | (is_special & special) | (~is_special & finite));
  }
  static PARO_INLINE F load_bf16(const void* p) { return F(__builtin_convertvector(load_as<H>(p), U) << 16); }
  static PARO_INLINE F load_i8(const void* p) { return __builtin_convertvector(load_as<B>(p), F); }
  static PARO_INLINE F load_u8(const void* p) { return __builtin_convertvector(load_as<UB>(p), F); }
  static PARO_INLINE void store_f16(void* p, F v) {
    H h{};
    for (int i = 0; i < 16; ++i) h[i] = half(U(v)[i]);
    __builtin_memcpy(p, &h, sizeof h);
  }
  static PARO_INLINE void store_i8(void* p, I v) {
    const B b = __builtin_convertvector(v, B);
    __builtin_memcpy(p, &b, sizeof b);
  }

  static PARO_INLINE void store_i16(void* p, I v) {
    const H h = __builtin_convertvector(v, H);
    __builtin_memcpy(p, &h, sizeof h);
  }
  static PARO_INLINE I load_int(const void* p) { return load_as<I>(p); }
  static PARO_INLINE void store_int(void* p, I v) { __builtin_memcpy(p, &v, sizeof v); }

  static PARO_INLINE F add(F a, F b) { return a + b; }
  static PARO_INLINE F sub(F a, F b) { return a - b; }
  static PARO_INLINE F mul(F a, F b) { return a * b; }
  static PARO_INLINE F div(F a, F b) { return a / b; }
  static PARO_INLINE F max(F a, F b) { return select(a > b, a, b); }
  static PARO_INLINE F min(F a, F b) { return select(a < b, a, b); }
  static PARO_INLINE F abs(F a) { return F(U(a) & 0x7fffffffu); }
#if defined(__FP_FAST_FMAF)
  static PARO_INLINE F fma(F a, F b, F c) {
    for (int i = 0; i < 16; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
  }
#else
  static PARO_INLINE F fma(F a, F b, F c) { return a * b + c; }  // rounds twice, everywhere alike
#endif
  static PARO_INLINE F fnma(F a, F b, F c) { return fma(-a, b, c); }

  // For |a| < 2^22; other values give some integer.
  static PARO_INLINE I round(F a) { return I(U(a + 12582912.0f) - U(set1(12582912.0f))); }
  static PARO_INLINE F to_float(I a) { return __builtin_convertvector(a, F); }
  static PARO_INLINE F pow2(I n) { return F((U(n) + 127) << 23); }
  static PARO_INLINE I izero() { return I{}; }
  static PARO_INLINE I iset1(int32_t x) { return I{} + x; }
  static PARO_INLINE I iadd(I a, I b) { return I(U(a) + U(b)); }

  static PARO_INLINE M first(int n) { return range(0, n); }
  static PARO_INLINE M range(int begin, int end) {
    const I lane{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return M((lane >= begin) & (lane < end));
  }
  static PARO_INLINE F select(M m, F a, F b) { return F((m & I(a)) | (~m & I(b))); }

  static PARO_INLINE float reduce_add(F v) {
    float s[8];
    for (int i = 0; i < 8; ++i) s[i] = v[i] + v[i + 8];
    for (int i = 0; i < 4; ++i) s[i] += s[i + 4];
    return (s[0] + s[2]) + (s[1] + s[3]);
  }
  static PARO_INLINE float reduce_max(F v) {
    float s = v[0];
    for (int i = 1; i < 16; ++i) s = s > v[i] ? s : v[i];
    return s;
  }
  static PARO_INLINE int32_t ireduce_add(I v) {
    uint32_t s = 0;
    for (int i = 0; i < 16; ++i) s += U(v)[i];
    return int32_t(s);
  }

  static PARO_INLINE F gather(const float* base, const uint8_t* index) {
    F v{};
    for (int i = 0; i < 16; ++i) v[i] = base[index[i]];
    return v;
  }

  // to[c][r] = from[r][c] for 16 rows.
  static PARO_INLINE void transpose(const float* const (&from)[16], float* to, int64_t to_stride) {
    for (int c = 0; c < 16; ++c) {
      for (int r = 0; r < 16; ++r) to[c * to_stride + r] = from[r][c];
    }
  }

  static PARO_INLINE L load_line(const uint8_t* p) { return load_as<L>(p); }
  static PARO_INLINE L low(L v) { return v & 0x0f0f; }
  static PARO_INLINE L high(L v) { return (v >> 4) & 0x0f0f; }
  // 32 int8 as pairs of 16 bits, and their products with the pair x2.
  static PARO_INLINE I load_pairs(const void* p) { return I(__builtin_convertvector(load_as<Bytes>(p), S)); }
  static PARO_INLINE I pair_dot(I sum, I w, int32_t x2) {
    return sum + (I(U(w) << 16) >> 16) * int32_t(int16_t(x2)) + (w >> 16) * (x2 >> 16);
  }
  // In lanes of 16 bits; negative: to the left.
  template <int right>
  static PARO_INLINE L shifted(L v) {
    if constexpr (right >= 0) {
      return v >> right;
    } else {
      return v << -right;
    }
  }
  static PARO_INLINE void store_line(uint8_t* p, L v) { __builtin_memcpy(p, &v, sizeof v); }
  static PARO_INLINE L either(L v, L w) { return v | w; }
  static PARO_INLINE L two_bits(L v) { return v & 0x0303; }
  // (low & 15) | (high & 48)
  static PARO_INLINE L six_bits(L low, L high) { return (low & 0x0f0f) | (high & 0x3030); }
  static PARO_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }

  static constexpr bool kDotsArePaired = false;
  static constexpr int kTileBlocks = 1;
  static constexpr int kAttendRows = 2;
  static constexpr int kLookupMax = 0;
  static constexpr int kWideTileBlocks = 1;
  static constexpr int kWideTileTokens = 1;
  static constexpr int kTileTokens = 4;
  static constexpr int kRegisterSums = 4;
  static constexpr bool kDotsAreWide = false;

  // Lanes of 16 bits: the even bytes of w times x0 and x2, the odd ones times x1 and x3.
  static PARO_INLINE D dot(D sum, L w, int32_t x4) { return sum + (w & 0xff) * even(x4) + (w >> 8) * odd(x4); }
  static PARO_INLINE I widen(I sum, D d) { return sum + (I(U(d) << 16) >> 16) + (I(d) >> 16); }
  static PARO_INLINE D dzero() { return D{}; }

 private:
  template <class T>
  static PARO_INLINE T load_as(const void* p) {
    T v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }
  // Bytes 0 and 2, or 1 and 3, of x4 with their signs in 16 bits, over all lanes.
  static PARO_INLINE L even(int32_t x4) { return pair(int8_t(x4), int8_t(x4 >> 16)); }
  static PARO_INLINE L odd(int32_t x4) { return pair(int8_t(x4 >> 8), int8_t(x4 >> 24)); }
  static PARO_INLINE L pair(int16_t a, int16_t b) {
    return L(U{} + (uint32_t(uint16_t(a)) | uint32_t(uint16_t(b)) << 16));
  }

  static PARO_INLINE uint16_t half(uint32_t bits) {
    const uint32_t sign = bits >> 16 & 0x8000;
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return uint16_t(sign | 0x7e00);
    if (magnitude >= 0x477ff000) return uint16_t(sign | 0x7c00);
    if (magnitude < 0x38800000) {
      float shifted;
      __builtin_memcpy(&shifted, &magnitude, sizeof shifted);
      shifted += 0.5f;
      uint32_t sum;
      __builtin_memcpy(&sum, &shifted, sizeof sum);
      return uint16_t(sign | (sum - 0x3f000000u));
    }
    return uint16_t(sign | (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13);
  }
};

}  // namespace
}  // namespace paro::cpu
