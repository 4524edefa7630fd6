// A grammar run over one vocabulary: its states so far reached and their token masks, shared by all matchers of it and
// bounded in memory.
#pragma once

#include <cstdint>
#include <memory>

#include "text/grammar/grammar.h"
#include "text/grammar/grammar_vocabulary.h"

namespace paro::text {

class TokenAutomaton {
 public:
  // What one automaton, its grammar included, holds at most beside its matchers; for the memory plan.
  static int64_t max_memory_bytes(int32_t vocab_size);

  TokenAutomaton(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const GrammarVocabulary> vocabulary);
  ~TokenAutomaton();
};

}  // namespace paro::text
