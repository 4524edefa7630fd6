// How fast the products of an instruction set can get: its own integer dots on registers alone, as many of them
// independent of each other as hide their latency.
#pragma once

#include <cstdint>

#include "backends/cpu/kernels_common.h"

namespace paro::cpu {
namespace {

// Integer operations done in n_rounds, two for each multiply-add.
template <class V>
double peak_ops(int64_t n_rounds) {
  // Dots that add to their sum by themselves share one pair of operands, and take few more sums than a tile in
  // registers, which leaves registers for operands. Those that are a product and an addition need a pair each: equal
  // products would be computed once.
  constexpr int kLines = V::kDotsAreWide ? 1 : 2;
  constexpr int kTokens = V::kDotsAreWide ? V::kRegisterSums + 2 : 2;
  constexpr int kSteps = 8;
  constexpr double kLineOps = 2 * 64;

  alignas(64) uint8_t codes[kLines][64];
  for (auto& line : codes) {
    for (uint8_t& code : line) code = 7;
  }
  asm volatile("" : : "r"(codes) : "memory");
  typename V::L w[kLines];
  for (int r = 0; r < kLines; ++r) w[r] = V::load_line(codes[r]);

  int32_t x4[2] = {0x03fd05fb, 0x01ff09f7};  // -5 5 -3 3 and -9 9 -1 1: every sum stays 0
  typename V::D sums[kLines * kTokens];
  PARO_UNROLL
  for (int i = 0; i < kLines * kTokens; ++i) sums[i] = V::dzero();
  for (int64_t round = 0; round < n_rounds; ++round) {
    for (int step = 0; step < kSteps; ++step) {
      asm volatile("" : "+m"(x4[0]), "+m"(x4[1]));  // unknown from here: no product is that of the step before
      PARO_UNROLL
      for (int t = 0; t < kTokens; ++t) {
        PARO_UNROLL
        for (int r = 0; r < kLines; ++r) {
          sums[r * kTokens + t] = V::dot(sums[r * kTokens + t], w[r], x4[V::kDotsAreWide ? 0 : t]);
        }
      }
    }
  }

  int32_t total = 0;  // needed: a loop whose result nobody looks at is no loop
  for (int i = 0; i < kLines * kTokens; ++i) {
    if constexpr (V::kDotsAreWide) {
      total |= V::ireduce_add(sums[i]);
    } else {
      total |= V::ireduce_add(V::widen(V::izero(), sums[i]));
    }
  }
  return total == 0 ? kLineOps * kLines * kTokens * kSteps * double(n_rounds) : 0;
}

}  // namespace
}  // namespace paro::cpu
