// Ends a model's thoughts after so many tokens: then the closing marker is the one token that may come.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/token_constraint.h"

namespace paro::server {

struct ThinkingLimits {
  int32_t open_token = -1, close_token = -1;  // of a thought
  bool in_thought = false;                    // the answer begins inside one
  int max_tokens = 0;                         // of all thoughts together, their markers aside
};

// `inner` holds the answer otherwise; none: nothing does. It must allow the closing marker anywhere in a thought.
std::shared_ptr<TokenConstraint> make_thinking_budget(std::shared_ptr<TokenConstraint> inner,
                                                      const ThinkingLimits& limits, int vocab_size);

}  // namespace paro::server
