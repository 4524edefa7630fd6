// A grammar run over one vocabulary: the states so far reached and their token masks, shared by all matchers of it, and
// bounded in memory: what has grown too large is started anew from the places where the matchers stand.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "text/grammar/grammar.h"
#include "text/grammar/grammar_vocabulary.h"

namespace paro::text {

class GrammarStates;
struct GrammarNetwork;

// Any number of threads may use it at once.
class TokenAutomaton {
 public:
  // For the memory plan: what an automaton holds beside its network and its matchers, and what a step of it takes
  // beyond that until it ends.
  static constexpr int64_t kKeptBytes = 2 << 20;
  static constexpr int64_t kStepBytes = 4 << 20;

  // Shares the grammar's network, and the vocabulary with all grammars of the model.
  TokenAutomaton(const Grammar& grammar, std::shared_ptr<const GrammarVocabulary> vocabulary);
  ~TokenAutomaton();

  // Makes ahead the masks that take longest, of states where a lot may follow, as far as they are found soon: for the
  // thread that has made the grammar, so that the one that draws tokens need not. The first call alone does.
  void prepare();

  const GrammarVocabulary& vocabulary() const { return *vocabulary_; }
  int64_t network_bytes() const;
  int64_t kept_bytes() const;  // states and masks

 private:
  friend class GrammarMatcher;
  using State = uint32_t;

  // Few ids, or a mask where they are many.
  struct StoredMask {
    std::vector<uint32_t> words;
    bool is_list = false;
    bool is_empty = false;
  };

  // A matcher's state lives in states_, and moves when that is started anew.
  void enter(State& place);
  void enter_at(State& place, const State& other);
  void leave(State& place);

  void write_mask(const State& place, std::span<uint32_t> mask);
  bool accept(State& place, int32_t id);  // false: it may not follow
  bool can_accept(const State& place, int32_t id);
  bool can_end(const State& place) const;
  bool must_end(const State& place) const;

  const StoredMask& mask_of(State state);
  void read_ahead();
  void start_anew_if_large();

  const std::shared_ptr<const GrammarNetwork> network_;
  const std::shared_ptr<const GrammarVocabulary> vocabulary_;
  mutable std::mutex mutex_;  // guards all below
  std::unique_ptr<GrammarStates> states_;
  std::unordered_map<State, StoredMask> masks_;  // of representatives
  int64_t mask_bytes_ = 0;
  bool is_prepared_ = false;
  std::unordered_set<State*> places_;
};

}  // namespace paro::text
