// Masks of random grammars over small vocabularies against the slow reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "base/error.h"
#include "grammar_reference.h"
#include "text/grammar/grammar_matcher.h"

namespace paro::text {
namespace {

using Kind = ReferenceGrammar::Kind;
using Expression = ReferenceGrammar::Expression;

constexpr int32_t kStop = 0, kFirstSpecial = 1, kSecondSpecial = 2;

class Randomly {
 public:
  explicit Randomly(uint32_t seed) : random_(seed) {}
  size_t below(size_t n) { return random_() % n; }
  template <typename T>
  const T& of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }

 private:
  std::mt19937 random_;
};

const std::vector<std::string>& pieces() {
  static const std::vector<std::string> kPieces{"a",        "b",        "c",    "\"", "\\", "<",    ">",
                                                "\n",       "1",        "é",    "漢", "😀",  "\xC3", "\xA9",
                                                "\xE6\xBC", "\xF0\x9F", "\x98", " ",  "Z"};
  return kPieces;
}

std::vector<std::string> random_vocabulary(Randomly& random) {
  std::vector<std::string> tokens{"", "", ""};  // reached by id alone
  for (const std::string& piece : pieces()) tokens.push_back(piece);
  for (int i = 0; i < 60; ++i) {
    std::string token;
    for (size_t n = 2 + random.below(4); n > 0; --n) token += random.of(pieces());
    tokens.push_back(token);
  }
  for (int i = 0; i < 20; ++i) tokens.push_back(std::string(1 + random.below(6), "abc1"[random.below(4)]));
  return tokens;
}

ReferenceGrammar random_grammar(Randomly& random, bool has_rules) {
  ReferenceGrammar grammar;
  auto& all = grammar.expressions;
  const auto add = [&](Expression e) {
    all.push_back(std::move(e));
    return all.size() - 1;
  };
  const std::vector<std::vector<CodeRange>> classes{
      {{'a', 'c'}}, {{'a', 'z'}, {'0', '9'}}, {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}},
      {},           {{0xC0, 0xFF}},           {{0x4E00, 0x9FFF}, {'b', 'b'}},
      {{'<', '<'}}};
  const std::vector<std::string> literals{"a", "ab", "\"", "é", "b<c", "1", "<>", "漢a", "\n"};
  const std::vector<std::string> markers{"<", "<>", "aba", "é", "aab"};
  const auto terminal = [&]() -> size_t {
    switch (random.below(8)) {
      case 0:
        return add({.kind = Kind::token, .token = random.below(2) ? kFirstSpecial : kSecondSpecial});
      case 1:
        return add({.kind = Kind::token, .token = int32_t(3 + random.below(20))});
      case 2:
      case 3:
      case 4: {
        const auto& ranges = random.of(classes);
        return add({.kind = Kind::character, .ranges = ranges, .is_negated = ranges.empty() || random.below(2) > 0});
      }
      default:
        return add({.kind = Kind::literal, .bytes = random.of(literals)});
    }
  };
  const size_t n_rules = has_rules ? 2 : 0;
  const auto tree = [&](auto&& self, int depth) -> size_t {
    switch (depth == 0 ? 0 : random.below(9)) {
      default:
        return terminal();
      case 2:
      case 3: {
        Expression e{.kind = Kind::sequence};
        for (size_t n = random.below(4); n > 0; --n) e.parts.push_back(self(self, depth - 1));
        return add(std::move(e));
      }
      case 4: {
        Expression e{.kind = Kind::alternatives};
        for (size_t n = 1 + random.below(3); n > 0; --n) e.parts.push_back(self(self, depth - 1));
        return add(std::move(e));
      }
      case 5:
      case 6: {
        const uint32_t min = uint32_t(random.below(3));
        // Large enough to be counted by some, small enough to be written out by others.
        const uint32_t max = random.below(2) ? GrammarBuilder::kUnbounded : min + uint32_t(random.below(40));
        const size_t part = random.below(2) ? terminal() : self(self, depth - 1);
        return add({.kind = Kind::repeat, .parts = {part}, .min = min, .max = max});
      }
      case 7: {
        if (n_rules == 0) {
          const Kind kind = random.below(3) == 0 ? Kind::text : random.below(2) ? Kind::text_until : Kind::text_without;
          return add({.kind = kind, .bytes = kind == Kind::text ? "" : random.of(markers)});
        }
        // Behind a terminal, so that no rule begins with itself.
        const size_t first = terminal();
        const size_t use = add({.kind = Kind::rule, .rule = random.below(n_rules)});
        return add({.kind = Kind::sequence, .parts = {first, use}});
      }
    }
  };
  for (size_t i = 0; i < n_rules; ++i) {
    const size_t body = tree(tree, 3), way_out = terminal();
    grammar.rules.push_back(add({.kind = Kind::alternatives, .parts = {body, way_out}}));
  }
  grammar.root = tree(tree, 4);
  return grammar;
}

bool bit(std::span<const uint32_t> mask, size_t id) { return mask[id / 32] >> id % 32 & 1; }

// Walks at random, and compares the whole mask at every step.
void expect_masks_of_reference(uint32_t seed, bool has_rules) {
  Randomly random(seed);
  const std::vector<std::string> tokens = random_vocabulary(random);
  const ReferenceGrammar reference = random_grammar(random, has_rules);
  std::vector<GrammarVocabulary::Token> entries;
  for (size_t id = 0; id < tokens.size(); ++id) entries.push_back({tokens[id], id <= size_t(kSecondSpecial)});
  const std::vector<int32_t> stop_ids{kStop};
  const auto automaton =
      std::make_shared<TokenAutomaton>(reference.build(), std::make_shared<GrammarVocabulary>(entries, stop_ids));
  if (seed % 2 == 0) automaton->prepare();
  GrammarMatcher matcher(automaton);
  ReferenceMatcher slow(reference);
  for (int step = 0; step < 8; ++step) {
    ASSERT_EQ(matcher.can_end(), slow.can_end()) << "seed " << seed << " step " << step;
    std::vector<ReferenceMatcher> after;
    std::vector<size_t> viable;
    for (size_t id = 0; id < tokens.size(); ++id) {
      ReferenceMatcher next = slow;
      if (tokens[id].empty() || id <= size_t(kSecondSpecial)) {
        next.clear();
      } else {
        next.accept_bytes(tokens[id]);
      }
      ReferenceMatcher by_id = slow;
      if (by_id.accept_token(int32_t(id))) next.unite(by_id);
      if (!next.is_dead()) viable.push_back(id);
      after.push_back(next);
    }
    if (viable.empty() && !slow.can_end()) {
      EXPECT_THROW(matcher.allowed(), Error);
      return;
    }
    const std::span<const uint32_t> mask = matcher.allowed();
    for (size_t id = 0; id < tokens.size(); ++id) {
      const bool may_follow = !after[id].is_dead() || (id == size_t(kStop) && slow.can_end());
      ASSERT_EQ(bit(mask, id), may_follow)
          << "seed " << seed << " step " << step << " token " << id << " '" << tokens[id] << "'";
      ASSERT_EQ(matcher.can_accept(int32_t(id)), may_follow) << "seed " << seed << " token " << id;
    }
    if (viable.empty()) {
      EXPECT_TRUE(matcher.must_end());
      return;
    }
    const size_t chosen = random.of(viable);
    matcher.accept(int32_t(chosen));
    slow.clear();
    slow.unite(after[chosen]);
  }
}

TEST(GrammarMask, IsThatOfTheReferenceForRegularGrammars) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    expect_masks_of_reference(seed, false);
    if (HasFatalFailure()) return;
  }
}

TEST(GrammarMask, IsThatOfTheReferenceForRecursiveGrammars) {
  for (uint32_t seed = 1000; seed < 1300; ++seed) {
    expect_masks_of_reference(seed, true);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace paro::text
