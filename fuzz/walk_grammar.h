// What must hold of every grammar that compiles: where something may follow, it is accepted and leads on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "require.h"
#include "text/grammar/grammar_matcher.h"

namespace paro::text {

// Every byte is a token, some pairs are, and 511 stops.
inline std::shared_ptr<const GrammarVocabulary> fuzz_vocabulary() {
  static const std::shared_ptr<const GrammarVocabulary> vocabulary = [] {
    std::vector<std::string> words;
    for (int i = 0; i < 256; ++i) words.push_back(std::string(1, char(i)));
    for (int i = 0; i < 255; ++i) words.push_back({char(i * 7), char(i * 11 + 3)});
    words.push_back("");
    std::vector<GrammarVocabulary::Token> tokens;
    for (const std::string& word : words) tokens.push_back({word});
    return std::make_shared<const GrammarVocabulary>(tokens, std::vector<int32_t>{511});
  }();
  return vocabulary;
}

// Steps that `choices` pick. Grammars that grow too large on the way throw.
inline std::string walk_grammar(const Grammar& grammar, std::string_view choices, bool& has_ended) {
  std::string text;
  has_ended = false;
  allow(ErrorKind::request, [&] {
    GrammarMatcher matcher(std::make_shared<TokenAutomaton>(grammar, fuzz_vocabulary()));
    for (const char choice : choices) {
      const std::span<const uint32_t> mask = matcher.allowed();
      std::vector<int32_t> allowed;
      for (int32_t id = 0; id < fuzz_vocabulary()->vocab_size(); ++id) {
        const bool is_allowed = (mask[size_t(id) / 32] >> id % 32 & 1) != 0;
        require(is_allowed == matcher.can_accept(id));
        if (is_allowed) allowed.push_back(id);
      }
      const int32_t id = allowed[uint8_t(choice) % allowed.size()];
      if (id == 511) break;
      text += fuzz_vocabulary()->bytes(id);
      matcher.accept(id);
    }
    has_ended = matcher.can_end();
  });
  return text;
}

}  // namespace paro::text
