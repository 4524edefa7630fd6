// Which tokens may follow a state: the one place where the automaton of bytes meets the vocabulary.
#pragma once

#include <cstdint>
#include <span>

#include "text/grammar/grammar_vocabulary.h"
#include "text/grammar/states.h"

namespace paro::text {

// Sets the bits of the tokens after which something may follow or the answer may end, and of the stop tokens where it
// may end at once. `mask` [vocabulary.mask_words()] is zero before.
void fill_token_mask(GrammarStates& states, GrammarStates::State state, const GrammarVocabulary& vocabulary,
                     std::span<uint32_t> mask);

// The state after a token, kDead where it may not follow.
GrammarStates::State state_after(GrammarStates& states, GrammarStates::State state, const GrammarVocabulary& vocabulary,
                                 int32_t id);

}  // namespace paro::text
