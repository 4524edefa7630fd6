// The counts and times that go with an answer: `usage` of the OpenAI schema and `timings` as llama.cpp's clients read
// it.
#pragma once

#include <boost/json/object.hpp>
#include <vector>

#include "server/choice.h"

namespace paro::server {

// `choices` are finished, `n` for each prompt. A prompt counts once.
boost::json::object usage_of(const std::vector<Choice>& choices, size_t n_prompt_tokens, int n);

// Prompt figures are the first choice's, those of the answer all choices' together.
boost::json::object timings_of(const std::vector<Choice>& choices);

}  // namespace paro::server
