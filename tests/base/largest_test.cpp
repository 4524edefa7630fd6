#include "base/largest.h"

#include <gtest/gtest.h>

#include <vector>

namespace paro {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Largest, IsFoundWhereverItStands) {
  for (const size_t n : {1, 2, 15, 16, 17, 255, 256, 257, 1000}) {
    for (size_t at = 0; at < n; at += 1 + n / 40) {
      std::vector<float> values(n, -3.0f);
      values[at] = -1.0f;
      EXPECT_EQ(largest(values), -1.0f) << at << " of " << n;
      EXPECT_EQ(index_of_largest(values), at) << n;
    }
  }
}

TEST(Largest, TheFirstOfEqualsCounts) {
  std::vector<float> values(1000, 0.0f);
  for (const size_t at : {700, 300, 299}) {
    values[at] = 5.0f;
    EXPECT_EQ(index_of_largest(values), at);
  }
}

TEST(Largest, InfinitiesAreValues) {
  std::vector<float> values(40, -kInfinity);
  EXPECT_EQ(index_of_largest(values), 0u);
  values[33] = std::numeric_limits<float>::lowest();
  EXPECT_EQ(index_of_largest(values), 33u);
  values[39] = kInfinity;
  EXPECT_EQ(index_of_largest(values), 39u);
}

TEST(Largest, OfNoneIsMinusInfinityAndNaNIsPassedOver) {
  EXPECT_EQ(largest({}), -kInfinity);
  std::vector<float> values(20, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(largest(values), -kInfinity);
  values[18] = 2.0f;
  EXPECT_EQ(largest(values), 2.0f);
}

}  // namespace
}  // namespace paro
