#include "grammar_fixture.h"
#include "text/grammar/grammar_builder.h"
#include "text/grammar/regex.h"

namespace paro::text {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  return Language(Grammar::from_regex(pattern)).matches(text);
}

bool finds(std::string_view pattern, std::string_view text) {
  GrammarBuilder builder;
  const auto expression = read_regex(builder, pattern, {.matches_part = true, .write_character = {}});
  return Language(builder.build(expression)).matches(text);
}

TEST(Regex, MatchesTheWholeText) {
  EXPECT_TRUE(matches("a+b", "aab"));
  EXPECT_FALSE(matches("a+b", "aabc"));
  EXPECT_TRUE(matches("^(yes|no)$", "no"));
  EXPECT_TRUE(matches("^a$|b", "b"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
}

TEST(Regex, FindsAPartOfTheTextAsSchemasDo) {
  EXPECT_TRUE(finds("a+b", "xxaabyy"));
  EXPECT_FALSE(finds("a+b", "xxayy"));
  EXPECT_TRUE(finds("^a", "abc"));
  EXPECT_FALSE(finds("^a", "ba"));
  EXPECT_TRUE(finds("a$", "ba"));
  EXPECT_FALSE(finds("a$", "ab"));
  EXPECT_TRUE(finds("^a|b$", "xb"));
  EXPECT_TRUE(finds("(^a|b$)", "ax"));
  EXPECT_FALSE(finds("(^a|b$)", "xax"));
  EXPECT_TRUE(finds("a", "x\na\n"));
}

TEST(Regex, KnowsClassesAndEscapes) {
  EXPECT_TRUE(matches(R"(\d{4}-\d\d)", "2024-05"));
  EXPECT_FALSE(matches(R"(\d)", "٣"));
  EXPECT_TRUE(matches(R"([\w-.]+@\w+\.[a-z]{2,3})", "a.b-c_1@x.org"));
  EXPECT_TRUE(matches(R"([^\W\d]+)", "ab_"));
  EXPECT_FALSE(matches(R"([^\W\d]+)", "a1"));
  EXPECT_TRUE(matches(R"(\x41\u00e9\u{1F600}\ud83d\ude00\t\/\cA\0)", std::string("Aé😀😀\t/\x01\0", 15)));
  EXPECT_TRUE(matches(R"([\]\\\-a])", "]"));
  EXPECT_TRUE(matches(R"(\p{Lu}\p{Letter}+\P{L})", "Éàß1"));
  EXPECT_FALSE(matches(R"(\p{Lu})", "é"));
  EXPECT_TRUE(matches(".", "漢"));
  EXPECT_FALSE(matches(".", "\n"));
  EXPECT_TRUE(matches("[^]", "\n"));
  EXPECT_TRUE(matches("a{,2}{x}", "a{,2}{x}"));
}

TEST(Regex, RepeatsLazilyAsGreedily) {
  EXPECT_TRUE(
      matches("(?:ab)*?c?"
              "?(?<name>d{2,3}?)",
              "ababddd"));
  EXPECT_FALSE(
      matches("(?:ab)*?c?"
              "?(?<name>d{2,3}?)",
              "ababd"));
}

TEST(Regex, NamesWhatItDoesNotSupportAndWhere) {
  const auto error = [](std::string_view pattern) { return request_error([&] { Grammar::from_regex(pattern); }); };
  EXPECT_EQ(error("ab(?=c)"), "regular expression: character 3: look-ahead and look-behind are not supported");
  EXPECT_EQ(error("é(?<!c)"), "regular expression: character 2: look-ahead and look-behind are not supported");
  EXPECT_EQ(error(R"((a)\1)"), "regular expression: character 4: \\ before '1' is not supported");
  EXPECT_EQ(error(R"(\bword)"), "regular expression: character 1: \\ before 'b' is not supported");
  EXPECT_EQ(error("a^"), "regular expression: character 2: '^' is supported at the beginning of the text alone");
  EXPECT_EQ(error("(a$|b)c"), "regular expression: character 3: '$' is supported at the end of the text alone");
  EXPECT_EQ(error("*a"), "regular expression: character 1: nothing that '*' could repeat");
  EXPECT_EQ(error("a**"), "regular expression: character 3: a quantifier behind a quantifier");
  EXPECT_EQ(error("[b-a]"), "regular expression: character 1: a range from 'b' down to 'a'");
  EXPECT_EQ(error("(a"), "regular expression: character 3: expected ')', got the end");
  EXPECT_EQ(error("a)"), "regular expression: character 2: a ')' without a '('");
  EXPECT_EQ(error("[a"), "regular expression: character 3: the text ends too early");
  EXPECT_EQ(
      error(R"(\p{Script=Greek})"),
      "regular expression: character 1: 'Script=Greek' is no general category; other properties are not supported");
}

}  // namespace
}  // namespace paro::text
