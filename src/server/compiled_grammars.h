// Grammars that answers are held to, compiled: shared by the requests that ask for the same, and as many as fit the
// memory that the plan leaves for them.
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

  // Of the memory, for the grammar that is being compiled, as measured at the most states and transitions that one may
  // have, and for the step that is being taken; the rest is for the grammars that are kept.
  static constexpr int64_t kWorkBytes = (16 << 20) + text::TokenAutomaton::kStepBytes;
  static constexpr int64_t kLeastBytes = kWorkBytes + (8 << 20);

  // max_bytes: kLeastBytes and up, or 0: none is kept.
  CompiledGrammars(std::shared_ptr<const text::GrammarVocabulary> vocabulary, int64_t max_bytes);

  // The grammar under this key, compiled and its first masks made if it is not there yet: on the caller's thread, one
  // at a time. Throws what `compile` throws, ApiError 400 for a key beyond kMaxKeyBytes and a grammar that never fits,
  // 503 when those that hold answers leave too little.
  std::shared_ptr<text::TokenAutomaton> get(const std::string& key, const std::function<text::Grammar()>& compile);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<text::TokenAutomaton> automaton;  // shared with the answers that it holds
    uint64_t last_use = 0;

    int64_t planned_bytes() const;
  };

  void make_room(int64_t n_bytes);

  const std::shared_ptr<const text::GrammarVocabulary> vocabulary_;  // shared with the automata, which may live on
  const int64_t room_bytes_;
  std::mutex mutex_;  // guards all below
  std::vector<Entry> entries_;
  uint64_t n_uses_ = 0;
};

}  // namespace paro::server
