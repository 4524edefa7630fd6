// One sequence's place in a grammar: which tokens may follow, and the step over one of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "text/grammar/token_automaton.h"

namespace paro::text {

// A copy is an independent place in the same automaton, which a speculation can be rolled back to: small, without its
// mask. Used by one thread at a time; the automaton may be shared with matchers of other threads.
class GrammarMatcher {
 public:
  explicit GrammarMatcher(std::shared_ptr<TokenAutomaton> automaton);
  ~GrammarMatcher();
  GrammarMatcher(const GrammarMatcher& other);
  GrammarMatcher& operator=(const GrammarMatcher& other);

  // [ceil(vocab_size / 32)] words that hold until the next call: bit id % 32 of word id / 32 is set where the token may
  // follow, stop tokens where the answer may end. Throws Error{request} where no token may.
  std::span<const uint32_t> allowed();

  // A token that allowed() shows; another one throws Error{request} and changes nothing.
  void accept(int32_t id);

  // Whether allowed() shows it.
  bool can_accept(int32_t id) const;

  bool can_end() const;
  bool must_end() const;  // nothing but a stop token may follow

  int64_t memory_bytes() const;

 private:
  std::shared_ptr<TokenAutomaton> automaton_;  // shared with the other sequences that are held to the same grammar
  uint32_t state_ = 0;                         // known to the automaton, which may renumber it
  std::vector<uint32_t> mask_;
};

}  // namespace paro::text
