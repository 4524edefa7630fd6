#include "server/choice.h"

#include <gtest/gtest.h>

#include "server/http_request.h"
#include "server/json_text.h"
#include "server/stop_matcher.h"

namespace paro::server {
namespace {

TEST(StopMatcher, HoldsBackWhatMayBecomeAStopString) {
  StopMatcher matcher({"END", "EN route"});
  EXPECT_EQ(matcher.push("so E"), "so ");
  EXPECT_EQ(matcher.push("N"), "");
  EXPECT_EQ(matcher.push("T"), "ENT");
  EXPECT_EQ(matcher.push("xEN r"), "x");
  EXPECT_EQ(matcher.flush(), "EN r");
  EXPECT_FALSE(matcher.found());
}

TEST(StopMatcher, CutsAtTheFirstOfSeveral) {
  StopMatcher matcher({"bbb", "ab"});
  EXPECT_EQ(matcher.push("xxabbb"), "xx");
  EXPECT_TRUE(matcher.found());
  EXPECT_EQ(matcher.push("more"), "");
  EXPECT_EQ(matcher.flush(), "");
}

TEST(StopMatcher, FindsOverlappingBeginnings) {
  StopMatcher matcher({"aab"});
  EXPECT_EQ(matcher.push("aa"), "");
  EXPECT_EQ(matcher.push("a"), "a");
  EXPECT_EQ(matcher.push("b"), "");
  EXPECT_TRUE(matcher.found());
}

TEST(JsonText, WritesNumbersShort) {
  EXPECT_EQ(json_text(boost::json::array{0.25, -1.5, 100.0, 3, "a\n"}), R"([0.25,-1.5,100,3,"a\n"])");
}

TEST(RoutePath, DropsVersionQueryAndSlash) {
  EXPECT_EQ(route_path("/v1/models/?a=b"), "/models");
  EXPECT_EQ(route_path("/models/a%2Fb"), "/models/a/b");
  EXPECT_EQ(route_path("/%zz%"), "/%zz%");
  EXPECT_EQ(route_path("/"), "/");
  EXPECT_EQ(route_path(""), "");
}

}  // namespace
}  // namespace paro::server
