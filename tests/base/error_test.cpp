#include "base/error.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/log.h"
#include "tests/base/temporary_directory.h"

namespace paro::test {

TEST(Error, FormatsItsMessageAndKeepsItsKind) {
  const Error error(ErrorKind::request, "max_tokens is {}, expected {} to {}", 0, 1, 9);
  EXPECT_EQ(error.kind(), ErrorKind::request);
  EXPECT_EQ(error.message(), "max_tokens is 0, expected 1 to 9");
  EXPECT_STREQ(error.what(), "max_tokens is 0, expected 1 to 9");
}

TEST(Error, TakesABareMessageLiterally) {
  EXPECT_EQ(Error(ErrorKind::io, "a {} in a name").message(), "a {} in a name");
}

TEST(Error, GainsAPrefixAndKeepsItsKind) {
  const Error error = Error(ErrorKind::checkpoint, "is gone").in("layer 3");
  EXPECT_EQ(error.message(), "layer 3: is gone");
  EXPECT_EQ(error.kind(), ErrorKind::checkpoint);
}

TEST(Check, PassesWhenItsConditionHolds) { EXPECT_NO_THROW(PARO_CHECK(1 + 1 == 2, "arithmetic")); }

TEST(Check, ThrowsWithConditionPlaceAndMessage) {
  const auto fails = [](int n) { PARO_CHECK(n > 3, "n is {}", n); };
  EXPECT_TRUE(
      contains(error_of(ErrorKind::internal, [&] { fails(2); }), {"n > 3 does not hold", "n is 2", "error_test.cpp:"}));
}

TEST(Log, ParsesTheNamesOfItsLevels) {
  EXPECT_EQ(log::parse_level("debug"), log::Level::debug);
  EXPECT_EQ(log::parse_level("error"), log::Level::error);
  EXPECT_TRUE(contains(error_of(ErrorKind::usage, [] { log::parse_level("loud"); }), {"'loud'", "debug, info"}));
}

}  // namespace paro::test
