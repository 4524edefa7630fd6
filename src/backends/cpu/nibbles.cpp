#include "backends/cpu/nibbles.h"

#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#include <xmmintrin.h>
#endif

namespace paro::cpu {
namespace {

uint32_t load_word(const std::byte* p) {
  uint32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Where an output channel's code stands in its AWQ word.
constexpr int kAwqShift[8] = {0, 16, 4, 20, 8, 24, 12, 28};

#if defined(__SSE2__)

__m128i load16(const std::byte* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
void store16(std::byte* p, __m128i v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
__m128i shuffle_words(__m128i a, __m128i b, bool odd) {
  const __m128 x = _mm_castsi128_ps(a);
  const __m128 y = _mm_castsi128_ps(b);
  return _mm_castps_si128(odd ? _mm_shuffle_ps(x, y, 0xdd) : _mm_shuffle_ps(x, y, 0x88));
}

// Eight channels of 32 rows. Low nibbles of a word's bytes are rows 0, 4, 1, 5, high ones rows 2, 6, 3, 7.
void awq_lines(const std::byte* codes, int64_t stride, std::byte* first, std::byte* second) {
  const __m128i low_nibbles = _mm_set1_epi8(15);
  const __m128i high_nibbles = _mm_set1_epi8(char(0xf0));
  __m128i low[4];
  __m128i high[4];
  for (int b = 0; b < 4; ++b) {
    const __m128i below = load16(codes + b * stride);
    const __m128i above = load16(codes + (b + 4) * stride);
    low[b] = _mm_or_si128(_mm_and_si128(below, low_nibbles), _mm_slli_epi16(_mm_and_si128(above, low_nibbles), 4));
    high[b] = _mm_or_si128(_mm_and_si128(_mm_srli_epi16(below, 4), low_nibbles), _mm_and_si128(above, high_nibbles));
  }
  // Four channels of four rows in each.
  const auto rows_of = [](const __m128i(&v)[4], __m128i(&rows)[4]) {
    const __m128i p = _mm_unpacklo_epi8(v[0], v[1]);
    const __m128i q = _mm_unpacklo_epi8(v[2], v[3]);
    const __m128i s = _mm_unpackhi_epi8(v[0], v[1]);
    const __m128i t = _mm_unpackhi_epi8(v[2], v[3]);
    rows[0] = _mm_unpacklo_epi16(p, q);
    rows[1] = _mm_unpackhi_epi16(p, q);
    rows[2] = _mm_unpacklo_epi16(s, t);
    rows[3] = _mm_unpackhi_epi16(s, t);
  };
  __m128i low_rows[4];
  __m128i high_rows[4];
  rows_of(low, low_rows);
  rows_of(high, high_rows);
  for (int i = 0; i < 4; ++i) {
    std::byte* out = (i < 2 ? first : second) + i % 2 * 32;
    store16(out, shuffle_words(low_rows[i], high_rows[i], false));
    store16(out + 16, shuffle_words(low_rows[i], high_rows[i], true));
  }
}

// Sixteen channels of four rows: two lines.
void native_lines(const std::byte* codes, std::byte* lines) {
  const __m128i w0 = load16(codes);
  const __m128i w1 = load16(codes + 16);
  const __m128i below = _mm_unpacklo_epi64(w0, w1);
  const __m128i above = _mm_unpackhi_epi64(w0, w1);
  const __m128i low_nibbles = _mm_set1_epi8(15);
  const __m128i high_nibbles = _mm_set1_epi8(char(0xf0));
  // Bytes of rows 0 and 2, and of rows 1 and 3, in turn.
  const __m128i even =
      _mm_or_si128(_mm_and_si128(below, low_nibbles), _mm_slli_epi16(_mm_and_si128(above, low_nibbles), 4));
  const __m128i odd =
      _mm_or_si128(_mm_and_si128(_mm_srli_epi16(below, 4), low_nibbles), _mm_and_si128(above, high_nibbles));
  const __m128i byte = _mm_set1_epi16(255);
  const __m128i rows01 = _mm_packus_epi16(_mm_and_si128(even, byte), _mm_and_si128(odd, byte));
  const __m128i rows23 = _mm_packus_epi16(_mm_srli_epi16(even, 8), _mm_srli_epi16(odd, 8));
  store16(lines, shuffle_words(rows01, rows23, false));
  store16(lines + 64, shuffle_words(rows01, rows23, true));
}

#endif

}  // namespace

void awq_word_codes(const std::byte* word, uint8_t* codes) {
  const uint32_t w = load_word(word);
  for (int i = 0; i < 8; ++i) codes[i] = w >> kAwqShift[i] & 15;
}

void awq_two_words_codes(const std::byte* words, uint8_t* codes) {
#if defined(__SSE2__)
  const __m128i word = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(words));
  const __m128i low_nibbles = _mm_set1_epi8(15);
  // Of each word channels 0 4 1 5 and 2 6 3 7; in turn 0 2 4 6 and 1 3 5 7.
  const __m128i low = _mm_and_si128(word, low_nibbles);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(word, 4), low_nibbles);
  const __m128i mixed = _mm_unpacklo_epi8(low, high);
  const __m128i even = _mm_shuffle_epi32(mixed, _MM_SHUFFLE(2, 0, 2, 0));
  const __m128i odd = _mm_shuffle_epi32(mixed, _MM_SHUFFLE(3, 1, 3, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm_unpacklo_epi8(even, odd));
#else
  awq_word_codes(words, codes);
  awq_word_codes(words + 4, codes + 8);
#endif
}

void pack_awq_codes(const std::byte* codes, int64_t stride, int64_t n_rows, int group_size, const std::byte* ahead,
                    std::byte* first, std::byte* second) {
  for (int k = 0; k < group_size; k += 8, codes += 8 * stride, ahead += stride, first += 64) {
    for (int i = 0; i < kAheadBytes; i += 64) __builtin_prefetch(ahead + i);
#if defined(__SSE2__)
    if (n_rows == 32) {
      awq_lines(codes, stride, first, second + k * 8);
      continue;
    }
#endif
    for (int64_t row = 0; row < n_rows; row += 8) {
      std::byte* out = row < 16 ? first + row * 4 : second + k * 8 + (row - 16) * 4;
      for (int b = 0; b < 4; ++b) {
        uint8_t below[8];
        uint8_t above[8];
        awq_word_codes(codes + b * stride + row / 2, below);
        awq_word_codes(codes + (b + 4) * stride + row / 2, above);
        for (int r = 0; r < 8; ++r) out[4 * r + b] = std::byte(below[r] | above[r] << 4);
      }
    }
  }
}

void pack_native_codes(const std::byte* codes, int64_t stride, int64_t n_rows, int group_size, std::byte* tile) {
  for (int64_t row = 0; row < n_rows; row += 4, codes += stride, tile += 16) {
#if defined(__SSE2__)
    for (int k = 0; k < group_size; k += 16) native_lines(codes + k * 2, tile + k * 8);
#else
    for (int k = 0; k < group_size; k += 8) {
      for (int b = 0; b < 4; ++b) {
        uint16_t below;
        uint16_t above;
        std::memcpy(&below, codes + (k + b) * 2, sizeof below);
        std::memcpy(&above, codes + (k + b + 4) * 2, sizeof above);
        for (int r = 0; r < 4; ++r) {
          tile[k * 8 + 4 * r + b] = std::byte((below >> (4 * r) & 15) | (above >> (4 * r) & 15) << 4);
        }
      }
    }
#endif
  }
}

}  // namespace paro::cpu
