#include "text/grammar/grammar_matcher.h"

#include <map>
#include <random>
#include <thread>

#include "grammar_fixture.h"
#include "text/grammar/grammar_builder.h"
#include "text/grammar/token_classes.h"

namespace paro::text {
namespace {

// Strings, and after them special tokens by name; ids count up.
struct Words {
  std::vector<std::string> words;
  std::vector<std::string> specials;
  std::vector<int32_t> stop_ids;

  std::shared_ptr<const GrammarVocabulary> vocabulary() const {
    std::vector<GrammarVocabulary::Token> tokens;
    for (const std::string& word : words) tokens.push_back({word});
    for (const std::string& special : specials) tokens.push_back({special, true});
    return std::make_shared<const GrammarVocabulary>(tokens, stop_ids);
  }

  std::string allowed(GrammarMatcher& matcher) const {
    std::string out;
    const std::span<const uint32_t> mask = matcher.allowed();
    for (size_t id = 0; id < words.size() + specials.size(); ++id) {
      if ((mask[id / 32] >> id % 32 & 1) == 0) continue;
      if (!out.empty()) out += ' ';
      out += id < words.size() ? words[id] : specials[id - words.size()];
    }
    return out;
  }
};

GrammarMatcher start(const Grammar& grammar, const std::shared_ptr<const GrammarVocabulary>& vocabulary) {
  return GrammarMatcher(std::make_shared<TokenAutomaton>(grammar, vocabulary));
}

TEST(GrammarMatcher, AllowsTokensThatSpanSeveralParts) {
  const Words v{{"{", "\"", "\":{\"", "a", "{\"a", "}}", "}", "\":1", "\":"}, {"</s>"}, {9}};
  GrammarMatcher matcher = start(Grammar::from_gbnf(R"(
root ::= "{\"a\":" (root | "1") "}")"),
                                 v.vocabulary());
  EXPECT_EQ(v.allowed(matcher), "{ {\"a");
  matcher.accept(4);
  EXPECT_EQ(v.allowed(matcher), "\" \":{\" \":1 \":");
  matcher.accept(2);
  EXPECT_EQ(v.allowed(matcher), "a");
  matcher.accept(3);
  matcher.accept(7);
  EXPECT_EQ(v.allowed(matcher), "}} }");
  matcher.accept(5);
  EXPECT_TRUE(matcher.must_end());
  EXPECT_EQ(v.allowed(matcher), "</s>");
}

TEST(GrammarMatcher, KeepsCharactersWholeOverTokens) {
  // 😀 is F0 9F 98 80, é is C3 A9.
  const Words v{{"\xF0\x9F", "\x98", "\x80", "\xC3", "\xA9", "\x98\x80", "\xA9!"}, {"</s>"}, {7}};
  GrammarMatcher matcher = start(Grammar::from_gbnf("root ::= [😀é] \"!\"?"), v.vocabulary());
  EXPECT_EQ(v.allowed(matcher), "\xF0\x9F \xC3");
  GrammarMatcher other = matcher;
  matcher.accept(0);
  EXPECT_EQ(v.allowed(matcher), "\x98 \x98\x80");
  matcher.accept(1);
  EXPECT_EQ(v.allowed(matcher), "\x80");
  other.accept(3);
  EXPECT_EQ(v.allowed(other), "\xA9 \xA9!");
}

TEST(GrammarMatcher, CopiesAreIndependentPlaces) {
  GrammarMatcher matcher = matcher_of(Grammar::from_gbnf("root ::= \"ab\" | \"cd\""));
  GrammarMatcher copy = matcher;
  matcher.accept('a');
  EXPECT_TRUE(copy.can_accept('c'));
  copy = matcher;
  EXPECT_TRUE(copy.can_accept('b'));
  EXPECT_FALSE(copy.can_accept('c'));
}

TEST(GrammarMatcher, RefusesAnotherTokenAndStaysWhereItIs) {
  GrammarMatcher matcher = matcher_of(Grammar::from_gbnf("root ::= \"ab\""));
  EXPECT_EQ(request_error([&] { matcher.accept('b'); }),
            "grammar: token 98 may not follow here; choose one of those allowed");
  for (const int32_t id : {-1, 256, 257, 1 << 30}) EXPECT_FALSE(matcher.can_accept(id)) << id;
  matcher.accept('a');
  matcher.accept('b');
  EXPECT_TRUE(matcher.can_accept(256));
  matcher.accept(256);
  EXPECT_TRUE(matcher.can_end());
}

TEST(GrammarMatcher, SaysWhereNoTokenCanGoOn) {
  const Words v{{"a"}, {"</s>"}, {1}};
  GrammarMatcher matcher = start(Grammar::from_gbnf("root ::= \"ab\""), v.vocabulary());
  matcher.accept(0);
  EXPECT_NE(request_error([&] { matcher.allowed(); }).find("no token of the vocabulary may follow"), std::string::npos);
}

// The shape of Gemma 4's answers.
TEST(GrammarMatcher, HoldsAThoughtAndCallsBetweenSpecialTokens) {
  const Words v{{"hm", "call:", "get_weather", "{", "}", "city", ":", "Rome", "<|channel>"},
                {"<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<q>", "</s>"},
                {14}};
  GrammarBuilder b;
  const auto thought = b.sequence({b.token(9), b.text(), b.token(10)});
  const auto call = b.sequence({b.token(11), b.literal("call:get_weather{city:"), b.token(13), b.text(), b.token(13),
                                b.literal("}"), b.token(12)});
  GrammarMatcher matcher = start(b.build(b.sequence({b.optional(thought), b.repeat(call, 1)})), v.vocabulary());
  EXPECT_EQ(v.allowed(matcher), "<|channel> <|tool_call>");
  matcher.accept(9);
  EXPECT_EQ(v.allowed(matcher), "hm call: get_weather { } city : Rome <|channel> <channel|>");
  matcher.accept(0);
  matcher.accept(8);
  matcher.accept(10);
  EXPECT_EQ(v.allowed(matcher), "<|tool_call>");
  matcher.accept(11);
  EXPECT_EQ(v.allowed(matcher), "call:");
  for (const int32_t id : {1, 2, 3, 5, 6, 13, 7}) matcher.accept(id);
  EXPECT_EQ(v.allowed(matcher), "hm call: get_weather { } city : Rome <|channel> <q>");
  for (const int32_t id : {13, 4, 12}) matcher.accept(id);
  EXPECT_EQ(v.allowed(matcher), "<|tool_call> </s>");
}

TEST(GrammarMatcher, LetsTextRunUntilAMarkerThatTokensMayCut) {
  GrammarBuilder b;
  const auto call = b.sequence({b.text_until("<call>"), b.literal("x"), b.literal("</call>")});
  const Language language(b.build(b.sequence({b.repeat(call, 0), b.text_without("<call>")})));
  EXPECT_TRUE(language.matches(""));
  EXPECT_TRUE(language.matches("free < <cal <<call text"));
  EXPECT_TRUE(language.matches("so: <call>x</call> and <<call>x</call>"));
  EXPECT_FALSE(language.matches("so: <call>y</call>"));
  EXPECT_FALSE(language.matches("so: <call>x</call><call>"));
  const Words v{{"a<ca", "ll>", "ll", "x", "b"}, {"</s>"}, {5}};
  GrammarBuilder c;
  GrammarMatcher matcher = start(c.build(c.sequence({c.text_until("<call>"), c.literal("x")})), v.vocabulary());
  matcher.accept(0);
  matcher.accept(1);
  EXPECT_EQ(v.allowed(matcher), "x");
}

TEST(GrammarMatcher, FindsAMarkerThatOverlapsItself) {
  GrammarBuilder b;
  const Language language(b.build(b.sequence({b.text_until("aabaaa"), b.literal("!")})));
  EXPECT_TRUE(language.matches("aabaabaaa!"));
  EXPECT_TRUE(language.matches("aaabaaa!"));
  EXPECT_FALSE(language.matches("aabaa!"));
  EXPECT_FALSE(language.matches("aabaaabaaa!"));
}

TEST(GrammarBuilder, EmbedsGrammars) {
  const Grammar list = Grammar::from_gbnf("root ::= \"[\" (item (\",\" item)*)? \"]\"\nitem ::= [a-z]{1,200} | root");
  GrammarBuilder b;
  const auto first = b.embed(list), second = b.embed(list);
  const Language language(b.build(b.sequence({b.literal("<"), first, b.literal("|"), second, b.literal(">")})));
  EXPECT_TRUE(language.matches("<[a,[b,c]]|[]>"));
  EXPECT_FALSE(language.matches("<[a|[]>"));
}

TEST(GrammarBuilder, RefusesAnUndefinedRule) {
  GrammarBuilder b;
  const auto rule = b.declare_rule("later");
  EXPECT_EQ(request_error([&] { b.build(b.use(rule)); }), "grammar: rule 'later' is used and nowhere defined");
}

TEST(GrammarChoice, IsOneOfTheTexts) {
  const std::vector<std::string> choices{"positive", "positively", "neutral", ""};
  const Language language(Grammar::from_choice(choices));
  for (const std::string& choice : choices) EXPECT_TRUE(language.matches(choice)) << choice;
  EXPECT_FALSE(language.matches("positivel"));
  EXPECT_EQ(request_error([] { Grammar::from_choice({}); }),
            "grammar: no finite text matches it; give every rule a way to end");
}

// States and masks are thrown away many times on the way, under the feet of a second matcher.
TEST(TokenAutomaton, StaysWithinItsMemoryAndKeepsEveryPlace) {
  std::vector<std::string> words;
  for (int a = 'a'; a <= 'z'; ++a) {
    for (int b = 'a'; b <= 'z'; ++b) words.push_back({char(a), char(b)});
  }
  std::vector<GrammarVocabulary::Token> tokens;
  for (const std::string& word : words) tokens.push_back({word});
  tokens.resize(30000);
  const auto vocabulary = std::make_shared<const GrammarVocabulary>(tokens, std::vector<int32_t>{29999});
  const auto automaton =
      std::make_shared<TokenAutomaton>(Grammar::from_gbnf("root ::= ([a-z]{2000} [0-9]?){20}"), vocabulary);
  GrammarMatcher still(automaton), moving(automaton);
  for (int i = 0; i < 7; ++i) still.accept(0);
  int64_t peak_bytes = 0;
  for (int i = 0; i < 20 * 1000; ++i) {
    ASSERT_FALSE(moving.can_end()) << i;
    ASSERT_EQ(moving.allowed()[0], UINT32_MAX);
    moving.accept(int32_t(i) % int32_t(words.size()));
    peak_bytes = std::max(peak_bytes, automaton->kept_bytes());
  }
  EXPECT_TRUE(moving.can_end());
  EXPECT_GT(peak_bytes, TokenAutomaton::kKeptBytes / 2);
  EXPECT_LE(peak_bytes, TokenAutomaton::kKeptBytes);
  for (int i = 7; i < 20 * 1000; ++i) still.accept(1);
  EXPECT_TRUE(still.can_end());
}

TEST(GrammarVocabulary, AcceptsTokensByTheirClassesAndLength) {
  const std::vector<std::string> characters{"a", "b", "0", "\"", "{", "\n", " ", "é", "漢"};
  std::mt19937 random(3);
  std::vector<std::string> words{"", "\xC3"};  // special, and no whole character
  std::vector<uint32_t> classes{0, TokenClasses::kNonAscii | TokenClasses::kBroken}, n_chars{0, 1};
  for (int i = 0; i < 3000; ++i) {
    const size_t n_kinds = 1 + random() % characters.size();
    words.emplace_back();
    classes.push_back(0);
    n_chars.push_back(1 + uint32_t(random() % 40));
    for (uint32_t n = 0; n < n_chars.back(); ++n) {
      const std::string& character = characters[random() % n_kinds];
      words.back() += character;
      classes.back() |= character.size() == 1 ? TokenClasses::of_ascii(uint8_t(character[0])) : TokenClasses::kNonAscii;
    }
  }
  std::vector<GrammarVocabulary::Token> tokens;
  for (const std::string& word : words) tokens.push_back({word, word.empty()});
  const GrammarVocabulary vocabulary(tokens, {});
  const uint32_t a = TokenClasses::of_ascii('a'), quote = TokenClasses::of_ascii('"');
  for (const uint32_t wanted :
       {TokenClasses::kAll, ~TokenClasses::kBroken, ~(quote | TokenClasses::kBroken), a, a | quote}) {
    for (const uint32_t limit : {1u, 5u, 11u, 12u, 13u, 25u, 39u, 40u, GrammarVocabulary::kUnbounded}) {
      std::vector<uint32_t> mask(vocabulary.mask_words());
      vocabulary.accept({wanted, limit}, mask);
      for (size_t id = 0; id < words.size(); ++id) {
        const bool is_accepted = (mask[id / 32] >> id % 32 & 1) != 0;
        ASSERT_EQ(is_accepted, !words[id].empty() && (classes[id] & ~wanted) == 0 && n_chars[id] <= limit)
            << id << " of " << limit;
      }
    }
  }
}

TEST(TokenAutomaton, IsSharedByThreads) {
  const auto automaton =
      std::make_shared<TokenAutomaton>(Grammar::from_gbnf("root ::= ([a-z]{1,300} \",\")* \".\""), byte_vocabulary());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&automaton, t] {
      GrammarMatcher matcher(automaton);
      for (int i = 0; i < 2000; ++i) {
        const int32_t id = i % (7 + t) == 6 + t ? ',' : 'a' + i % 20;
        ASSERT_NE(matcher.allowed()[size_t(id) / 32] >> id % 32 & 1, 0u);
        matcher.accept(id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace paro::text
