// The counts and times that go with an answer: `usage` of the OpenAI schema and `timings` as llama.cpp's clients read
// it.
#pragma once

#include <boost/json/object.hpp>
#include <span>
#include <vector>

#include "server/choice.h"
#include "server/pace.h"

namespace paro::server {

// `choices` are finished, `n` for each prompt. A prompt counts once.
boost::json::object usage_of(const std::vector<Choice>& choices, size_t n_prompt_tokens, int n);

// Prompt figures are the first choice's, those of the answer all choices' together. The first token of a choice comes
// of its prefill: rates are of those behind it.
boost::json::object timings_of(std::span<const Choice> choices);

// Of one that still runs.
boost::json::object timings_of(const Pace& pace);
boost::json::object progress_of(const Pace& pace);

}  // namespace paro::server
