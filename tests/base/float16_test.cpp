// The two 16-bit formats against a model in double precision: the nearest of all values, the even one of two.
#include "base/float16.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <random>
#include <vector>

namespace paro {
namespace {

struct Format {
  const char* name;
  int mantissa_bits;
  int exponent_bias;
  uint16_t infinity;  // its bits; finite values lie below, NaNs above
  float (*to_f32)(uint16_t);
  uint16_t (*from_f32)(float);
};

void PrintTo(const Format& format, std::ostream* out) { *out << format.name; }

class Float16 : public testing::TestWithParam<Format> {
 protected:
  // The value of a finite magnitude, by the definition of the format; infinity counts as the next power of two.
  static double value_of(uint16_t magnitude) {
    const Format& format = GetParam();
    const int exponent = magnitude >> format.mantissa_bits;
    const int mantissa = magnitude & ((1 << format.mantissa_bits) - 1);
    if (exponent == 0) return std::ldexp(mantissa, 1 - format.exponent_bias - format.mantissa_bits);
    return std::ldexp(mantissa + (1 << format.mantissa_bits), exponent - format.exponent_bias - format.mantissa_bits);
  }

  void SetUp() override {
    for (int bits = 0; bits <= GetParam().infinity; ++bits) values_.push_back(value_of(uint16_t(bits)));
  }

  uint16_t nearest(float f) const {
    const uint16_t sign = std::signbit(f) ? 0x8000 : 0;
    const double magnitude = std::fabs(double(f));
    if (magnitude >= values_.back()) return uint16_t(sign | GetParam().infinity);
    const auto above = std::upper_bound(values_.begin(), values_.end(), magnitude);
    const auto high = uint16_t(above - values_.begin());
    const auto low = uint16_t(high - 1);
    const double to_low = magnitude - values_[low];
    const double to_high = values_[high] - magnitude;
    const bool take_low = to_low < to_high || (to_low == to_high && low % 2 == 0);
    return uint16_t(sign | (take_low ? low : high));
  }

  void expect_nearest(float f) const {
    ASSERT_EQ(GetParam().from_f32(f), nearest(f)) << "of " << std::hexfloat << f;
    ASSERT_EQ(GetParam().from_f32(-f), nearest(-f)) << "of " << std::hexfloat << -f;
  }

  std::vector<double> values_;
};

TEST_P(Float16, WidensToTheValueThatTheFormatDefines) {
  for (int bits = 0; bits < GetParam().infinity; ++bits) {
    ASSERT_EQ(double(GetParam().to_f32(uint16_t(bits))), values_[size_t(bits)]) << "bits " << bits;
    ASSERT_EQ(double(GetParam().to_f32(uint16_t(bits | 0x8000))), -values_[size_t(bits)]) << "bits " << bits;
  }
  EXPECT_TRUE(std::signbit(GetParam().to_f32(0x8000)));
  EXPECT_EQ(GetParam().to_f32(GetParam().infinity), INFINITY);
  EXPECT_EQ(GetParam().to_f32(uint16_t(GetParam().infinity | 0x8000)), -INFINITY);
}

TEST_P(Float16, EveryValueSurvivesTheRoundTrip) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const auto half = uint16_t(bits);
    const float wide = GetParam().to_f32(half);
    const uint16_t back = GetParam().from_f32(wide);
    if ((half & 0x7fff) > GetParam().infinity) {
      ASSERT_TRUE(std::isnan(wide)) << "bits " << bits;
      ASSERT_GT(back & 0x7fff, GetParam().infinity) << "bits " << bits;
      ASSERT_EQ(back & 0x8000, half & 0x8000) << "bits " << bits;
    } else {
      ASSERT_EQ(back, half) << "bits " << bits;
    }
  }
}

TEST_P(Float16, RoundsToNearestEvenAroundEveryMidpoint) {
  for (size_t i = 0; i + 1 < values_.size(); ++i) {
    const auto middle = float((values_[i] + values_[i + 1]) / 2);
    ASSERT_EQ(double(middle), (values_[i] + values_[i + 1]) / 2) << "the midpoint is a float";
    expect_nearest(middle);
    expect_nearest(std::nextafter(middle, 0.0f));
    expect_nearest(std::nextafter(middle, INFINITY));
  }
}

TEST_P(Float16, RoundsRandomFloatsToNearestEven) {
  std::mt19937 random(7);
  for (int i = 0; i < 500000; ++i) {
    const auto f = std::bit_cast<float>(uint32_t(random()));
    if (!std::isnan(f)) expect_nearest(f);
  }
}

TEST_P(Float16, EveryNanOfAFloatStaysNan) {
  for (const uint32_t bits : {0x7f800001u, 0x7f80ffffu, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu}) {
    const uint16_t half = GetParam().from_f32(std::bit_cast<float>(bits));
    EXPECT_GT(half & 0x7fff, GetParam().infinity) << "bits " << bits;
    EXPECT_EQ(half >> 15, int(bits >> 31)) << "bits " << bits;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Float16,
                         testing::Values(Format{"f16", 10, 15, 0x7c00, f16_to_f32, f32_to_f16},
                                         Format{"bf16", 7, 127, 0x7f80, bf16_to_f32, f32_to_bf16}),
                         [](const auto& suite) { return suite.param.name; });

}  // namespace
}  // namespace paro
