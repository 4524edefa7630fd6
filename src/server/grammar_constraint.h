// Holds an answer of the engine to a grammar.
#pragma once

#include <memory>

#include "engine/token_constraint.h"
#include "text/grammar/token_automaton.h"

namespace paro::server {

// For one sequence; the automaton is shared with others that are held to the same grammar.
std::shared_ptr<TokenConstraint> make_grammar_constraint(std::shared_ptr<text::TokenAutomaton> automaton);

}  // namespace paro::server
