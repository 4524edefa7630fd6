// A tokenizer's tokens as grammars see them: a trie over the bytes of all that are not special, with what is needed to
// accept large parts of it at once. Built once per model, constant then.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace paro::text {

class GrammarVocabulary {
 public:
  struct Token {
    std::string_view bytes;  // empty: reached by id alone
    bool is_special = false;
  };

  // `tokens` by id; `stop_ids` end an answer where the grammar lets it end.
  GrammarVocabulary(std::span<const Token> tokens, std::span<const int32_t> stop_ids);

  // vocab_size: the model's, which may exceed the tokenizer's; ids beyond are never allowed.
  static GrammarVocabulary from_tokenizer(const Tokenizer& tokenizer, std::span<const int32_t> stop_ids,
                                          int32_t vocab_size);

  int32_t vocab_size() const;
  int64_t memory_bytes() const;
};

}  // namespace paro::text
