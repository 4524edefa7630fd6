#include "grammar_fixture.h"

namespace paro::text {
namespace {

std::string error_of(std::string_view gbnf) {
  return request_error([&] { Grammar::from_gbnf(gbnf); });
}

TEST(Gbnf, ReadsLiteralsClassesAndRules) {
  const Language language(Grammar::from_gbnf(R"(
# moves of a game
root  ::= (move " " move "\n")+
move  ::= (pawn | castle) [+#]?
pawn  ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBQKR])?
castle ::= "O-O" "-O"?
)"));
  EXPECT_TRUE(language.matches("e4 e5\nO-O O-O-O+\n"));
  EXPECT_TRUE(language.matches("exd5 h8=Q#\n"));
  EXPECT_FALSE(language.matches("e4 e5"));
  EXPECT_FALSE(language.matches("e9 e5\n"));
  EXPECT_FALSE(language.matches(""));
}

TEST(Gbnf, CountsRepetitions) {
  const Language language(Grammar::from_gbnf(R"(root ::= [ab]{2,3} "c"{2} "d"{0,1} "e"{1,} [x]{0,300} "!")"));
  EXPECT_TRUE(language.matches("abcce!"));
  EXPECT_TRUE(language.matches("aaaccdeee!"));
  EXPECT_FALSE(language.matches("acce!"));
  EXPECT_FALSE(language.matches("abababcce!"));
  EXPECT_FALSE(language.matches("abcccde!"));
  EXPECT_FALSE(language.matches("abcc!"));
  EXPECT_TRUE(language.matches("abcce" + std::string(300, 'x') + "!"));
  EXPECT_FALSE(language.matches("abcce" + std::string(301, 'x') + "!"));
}

TEST(Gbnf, ReadsEscapesAndCharactersBeyondAscii) {
  const Language language(
      Grammar::from_gbnf(R"(root ::= "\x41\u00e9\U0001F600\t\"\\" [^\x00-\x7F] [ぁ-ゟ\]] [a\-z] .)"));
  EXPECT_TRUE(language.matches("Aé😀\t\"\\漢あ-\n"));
  EXPECT_TRUE(language.matches("Aé😀\t\"\\漢]z語"));
  EXPECT_FALSE(language.matches("Aé😀\t\"\\aあ-x"));
  EXPECT_FALSE(language.matches("Aé😀\t\"\\漢ア-x"));
  EXPECT_FALSE(language.matches("Aé😀\t\"\\漢あbx"));
}

TEST(Gbnf, GoesOnBehindABarAndWithinParentheses) {
  const Language language(Grammar::from_gbnf("root ::= \"a\" |\n  \"b\" | (\n \"c\"\n | # why\n \"d\")*\nx ::= \"y\""));
  for (const char* text : {"a", "b", "", "cdc"}) EXPECT_TRUE(language.matches(text)) << text;
  EXPECT_FALSE(language.matches("y"));
}

TEST(Gbnf, RecursesAsDeepAsTheStackMayGrow) {
  const Language language(Grammar::from_gbnf("root ::= \"(\" root \")\" | \"x\""));
  const auto nested = [](size_t n) { return std::string(n, '(') + "x" + std::string(n, ')'); };
  EXPECT_TRUE(language.matches(nested(0)));
  EXPECT_TRUE(language.matches(nested(512)));
  EXPECT_FALSE(language.matches(nested(513)));
  EXPECT_FALSE(language.matches("((x)"));
}

TEST(Gbnf, FollowsItselfAtTheEndWithoutAStack) {
  const Language language(Grammar::from_gbnf("root ::= \"a\" root | \"b\""));
  EXPECT_TRUE(language.matches(std::string(5000, 'a') + "b"));
}

TEST(Gbnf, TakesTokensByIdAndByName) {
  const auto ids = [](std::string_view name) { return name == "<end>" ? std::optional<int32_t>(256) : std::nullopt; };
  GrammarMatcher matcher = matcher_of(Grammar::from_gbnf("root ::= <[65]> <end> \"b\"", ids));
  EXPECT_FALSE(matcher.can_accept('b'));
  matcher.accept(65);
  EXPECT_FALSE(matcher.can_end());
  matcher.accept(256);
  matcher.accept('b');
  EXPECT_TRUE(matcher.must_end());
  EXPECT_EQ(request_error([&] { Grammar::from_gbnf("root ::= <other>", ids); }),
            "grammar: line 1, column 10: '<other>' is no token of the vocabulary");
}

TEST(Gbnf, NamesThePlaceOfAMistake) {
  EXPECT_EQ(error_of("root ::= \"a\n\""),
            "grammar: line 1, column 12: expected the closing mark, got the end of the line");
  EXPECT_EQ(error_of("root ::= a\nb ::= \"x\""), "grammar: line 1, column 10: rule 'a' is nowhere defined");
  EXPECT_EQ(error_of("root := \"a\""), "grammar: line 1, column 6: expected '::=', got ':'");
  EXPECT_EQ(error_of("root ::= (\"a\""), "grammar: line 1, column 14: expected ')', got the end");
  EXPECT_EQ(error_of("root ::= [z-a]"), "grammar: line 1, column 10: a range from 'z' down to 'a'");
  EXPECT_EQ(error_of("root ::= \"\\q\""), "grammar: line 1, column 11: an escape \\ before 'q' is not known");
  EXPECT_EQ(error_of("x ::= \"a\""), "grammar: no rule 'root', which the text starts from");
  EXPECT_EQ(error_of("root ::= \"a\" )"),
            "grammar: line 1, column 14: expected the rule to end with its line, got ')'");
  EXPECT_EQ(error_of("root ::= \"a\"\nroot ::= \"b\""), "grammar: line 2, column 1: rule 'root' is defined twice");
  EXPECT_EQ(error_of("root ::= \"a\"{3,2}"), "grammar: line 1, column 14: at least 3 and at most 2 repetitions");
  EXPECT_EQ(error_of("root ::= \"a\"{999999999999}"),
            "grammar: line 1, column 14: 4294967294 repetitions, expected at most 100000");
  EXPECT_EQ(
      error_of("root ::= !<[1]>"),
      "grammar: line 1, column 10: a token that is excluded (!<...>) is not supported; write what may stand there");
  EXPECT_NE(error_of("root ::= " + std::string(200, '(')).find("groups nested more than 128 deep"), std::string::npos);
}

TEST(Gbnf, RefusesRulesThatBeginWithThemselves) {
  constexpr std::string_view kPrefix = "grammar: rule '";
  constexpr std::string_view kRest = "' can begin with itself (left recursion); write it as a repetition";
  const auto expected = [&](std::string_view rule) {
    return std::string(kPrefix) + std::string(rule) + std::string(kRest);
  };
  EXPECT_EQ(error_of("root ::= root \"a\" | \"b\""), expected("root"));
  EXPECT_EQ(error_of("root ::= a \"x\"\na ::= \"\" b\nb ::= c? a | \"z\"\nc ::= \"c\""), expected("a"));
  EXPECT_EQ(error_of("root ::= a? root | \"b\"\na ::= \"c\""), expected("root"));
}

TEST(Gbnf, RefusesWhatNothingMatches) {
  EXPECT_EQ(error_of("root ::= \"a\" root"), "grammar: no finite text matches it; give every rule a way to end");
  // A rule that leads nowhere is left out where there is another way.
  const Language language(Grammar::from_gbnf("root ::= \"a\" x | \"ab\"\nx ::= \"b\" x"));
  EXPECT_TRUE(language.matches("ab"));
  EXPECT_FALSE(language.matches("abb"));
}

TEST(Gbnf, RefusesWhatWouldGrowWithoutMeasure) {
  EXPECT_NE(error_of("root ::= ((\"a\"?){1000}){1000}").find("may be empty is repeated 1000 times"), std::string::npos);
  std::string big = "root ::= ";
  for (int i = 0; i < 1500; ++i) big += "\"abcdefgh\"{12} ";
  EXPECT_NE(error_of(big).find("ask for a smaller one"), std::string::npos);
  // Every split of the text into parts is another reading.
  GrammarMatcher matcher = matcher_of(Grammar::from_gbnf("root ::= ([a]{1,200} [a]{1,200}){1,200} [a]{1,300} \"b\""));
  const std::string error = request_error([&] {
    for (int i = 0; i < 400; ++i) matcher.accept('a');
  });
  EXPECT_NE(error.find("less ambiguous"), std::string::npos) << error;
}

}  // namespace
}  // namespace paro::text
