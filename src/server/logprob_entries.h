// Tokens with their log-probabilities, as chat completions and responses tell them.
#pragma once

#include <boost/json/array.hpp>
#include <span>

#include "server/choice.h"
#include "text/tokenizer.h"

namespace paro::server {

// [{token, logprob, bytes, top_logprobs: [{token, logprob, bytes}]}]
boost::json::array logprob_entries(const text::Tokenizer& tokenizer, std::span<const ScoredToken> scores);

}  // namespace paro::server
