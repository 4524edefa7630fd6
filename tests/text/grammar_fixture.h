// Grammars tried on whole texts and on small vocabularies.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/grammar/grammar_matcher.h"

namespace paro::text {

// Every byte is a token, id = byte, and 256 is the only stop token.
inline std::shared_ptr<const GrammarVocabulary> byte_vocabulary() {
  static const std::shared_ptr<const GrammarVocabulary> vocabulary = [] {
    std::string bytes(256, '\0');
    for (int i = 0; i < 256; ++i) bytes[size_t(i)] = char(i);
    std::vector<GrammarVocabulary::Token> tokens;
    for (size_t i = 0; i < 256; ++i) tokens.push_back({std::string_view(bytes).substr(i, 1)});
    tokens.push_back({.bytes = {}, .is_special = true});
    return std::make_shared<const GrammarVocabulary>(tokens, std::vector<int32_t>{256});
  }();
  return vocabulary;
}

inline GrammarMatcher matcher_of(const Grammar& grammar) {
  return GrammarMatcher(std::make_shared<TokenAutomaton>(grammar, byte_vocabulary()));
}

class Language {
 public:
  explicit Language(Grammar grammar) : start_(matcher_of(std::move(grammar))) {}

  bool matches(std::string_view text) const {
    GrammarMatcher matcher = start_;
    for (const char byte : text) {
      const int32_t id = uint8_t(byte);
      if (!matcher.can_accept(id)) return false;
      matcher.accept(id);
    }
    return matcher.can_end();
  }

 private:
  GrammarMatcher start_;
};

// The message of the Error{request} that `make` throws.
template <typename Make>
std::string request_error(Make make) {
  try {
    make();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::request);
    return error.message();
  }
  ADD_FAILURE() << "no error";
  return {};
}

}  // namespace paro::text
