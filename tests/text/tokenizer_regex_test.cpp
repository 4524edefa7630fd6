#include "text/tokenizer_regex.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "text/tokenizer_regex_dialect.h"

namespace paro::text {
namespace {

std::vector<std::string> matches(std::string_view expression, std::string_view text) {
  std::vector<Segment> segments;
  TextPattern::regex(expression, "here").split(text, segments);
  std::vector<std::string> found;
  size_t position = 0;
  for (const Segment& segment : segments) {
    EXPECT_EQ(segment.begin, position);
    position = segment.end;
    if (segment.is_match) found.emplace_back(text.substr(segment.begin, segment.end - segment.begin));
  }
  EXPECT_EQ(position, text.size());
  return found;
}

using Strings = std::vector<std::string>;

TEST(TextPattern, SegmentsCoverTheText) {
  EXPECT_EQ(matches("b+", "abbacb"), (Strings{"bb", "b"}));
  EXPECT_EQ(matches("x", "abc"), Strings{});
  EXPECT_EQ(matches("x", ""), Strings{});
  EXPECT_EQ(matches("x*", "axé"), (Strings{"", "x", ""}));
}

TEST(TextPattern, SpaceIsUnicodeWhiteSpace) {
  EXPECT_EQ(matches(R"(\s+)", "a\u00a0\u3000b\u180Ec"), Strings{"\u00a0\u3000"});
  EXPECT_EQ(matches(R"([^\s]+)", "a\u0085b"), (Strings{"a", "b"}));
}

TEST(TextPattern, ScriptIsNotScriptExtensions) {
  // U+3001 has the script Common; Han is among its extensions.
  EXPECT_EQ(matches(R"(\p{Han}+)", "日本\u3001語"), (Strings{"日本", "語"}));
}

TEST(TextPattern, ReplacesMatches) {
  EXPECT_EQ(TextPattern::literal("aa").replace("aaaaa b", "-"), "--a b");
  EXPECT_EQ(TextPattern::regex(R"(\s+)", "here").replace("a \n b", " "), "a b");
}

TEST(TextPattern, LongRunsNeedNoDeepStack) {
  const std::string text(1 << 20, ' ');
  EXPECT_EQ(matches(R"(\s*[\r\n]+|\s+(?!\S)|\s+)", text).size(), 1u);
  EXPECT_EQ(matches("(?:a|b| )+", text.substr(0, 1 << 16)).size(), 1u);
}

TEST(TextPattern, RefusesWhatThePatternCannotFinish) {
  EXPECT_THROW(matches("(a+a+)+$", std::string(60, 'a') + "b"), Error);
}

TEST(RegexDialect, RefusesWhatHasNoEquivalent) {
  for (const char* expression :
       {"[a[b]]",  "[a&&b]",  R"([\W])", R"([\H])", R"(\K)",       R"(\Ga)",      R"(\k<n>)", "a{1,2}+",
        "a{,3}",   "(?<n>a)", "(?R)",    "(*FAIL)", "a(?i)b",      "(?#x)",       R"(\pL)",   R"(\p{L)",
        R"(\u12)", "\\",      R"(\X)",   R"(\C)",   "[[:punct:]]", "[[:^alpha:]]"}) {
    EXPECT_THROW(pcre2_expression(expression, "here"), Error) << expression;
  }
}

TEST(RegexDialect, KeepsWhatIsAlike) {
  for (const char* expression : {"(?:a|b)++c*?", "[^a-z]{2,3}", R"([\p{L}\-\]])", "(?=x)(?!y)(?<=z)(?<!w)(?>v)",
                                 R"(\x{41}\n)", "a{", "(?i:x)"}) {
    EXPECT_EQ(pcre2_expression(expression, "here"), expression);
  }
}

TEST(RegexDialect, DotMatchesNewlineUnderRubysM) { EXPECT_EQ(matches("(?m:a.b)", "a\nb"), Strings{"a\nb"}); }

}  // namespace
}  // namespace paro::text
