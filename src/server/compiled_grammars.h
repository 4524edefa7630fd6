// Grammars that answers are held to, compiled: a few, shared by the requests that ask for the same, within what the
// memory plan leaves for them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "text/grammar/grammar.h"
#include "text/grammar/token_automaton.h"

namespace paro::server {

class CompiledGrammars {
 public:
  static constexpr int64_t kMaxKeyBytes = 256 << 10;
  static int64_t planned_bytes(int n_grammars);

  CompiledGrammars(std::shared_ptr<const text::GrammarVocabulary> vocabulary, int n_grammars)
      : vocabulary_(std::move(vocabulary)), n_grammars_(static_cast<size_t>(n_grammars)) {}

  // The grammar under this key, compiled if it is not there yet: on the caller's thread, one at a time. Throws what
  // `compile` throws, ApiError 400 for a key beyond kMaxKeyBytes, 503 when answers hold all places.
  std::shared_ptr<text::TokenAutomaton> get(const std::string& key, const std::function<text::Grammar()>& compile);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<text::TokenAutomaton> automaton;  // shared with the answers that it holds
    uint64_t last_use = 0;
  };

  Entry& free_place();

  const std::shared_ptr<const text::GrammarVocabulary> vocabulary_;  // shared with the automata, which may live on
  const size_t n_grammars_;
  std::mutex mutex_;  // guards all below
  std::vector<Entry> entries_;
  uint64_t n_uses_ = 0;
};

}  // namespace paro::server
