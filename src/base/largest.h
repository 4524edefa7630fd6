// The largest of an array of floats, in lanes that compilers make vectors of.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace paro {

// NaN is never it; of none, minus infinity.
inline float largest(std::span<const float> values) {
  constexpr size_t kLanes = 16;
  std::array<float, kLanes> best;
  best.fill(-std::numeric_limits<float>::infinity());
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) best[lane] = std::max(best[lane], values[i + lane]);
  }
  for (; i < values.size(); ++i) best[0] = std::max(best[0], values[i]);
  return *std::max_element(best.begin(), best.end());
}

// The first of equals. Values are not empty and no NaN.
inline size_t index_of_largest(std::span<const float> values) {
  constexpr size_t kBlock = 256;
  float best = -std::numeric_limits<float>::infinity();
  size_t from = 0;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const float of_block = largest(values.subspan(begin, std::min(kBlock, values.size() - begin)));
    if (of_block > best) best = of_block, from = begin;
  }
  return size_t(std::find(values.begin() + std::ptrdiff_t(from), values.end(), best) - values.begin());
}

}  // namespace paro
