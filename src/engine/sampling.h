// How a next token is chosen, and what is told of it.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace paro {

// Applied in this order, with the meaning that transformers gives them: penalties and bias on the logits, temperature,
// then top_k, top_p and min_p on what is left. temperature 0 is greedy.
struct SamplingOptions {
  float temperature = 1.0f;
  int top_k = 0;                    // 0: off
  float top_p = 1.0f;               // 1: off
  float min_p = 0.0f;               // 0: off
  float repetition_penalty = 1.0f;  // divides positive and multiplies negative logits of tokens seen, prompt included
  float presence_penalty = 0.0f;    // subtracted once from tokens generated
  float frequency_penalty = 0.0f;   // subtracted for each time a token was generated
  // The three penalties count the last so many tokens, prompt and answer alike; absent: as said above.
  std::optional<int> penalty_window;
  bool temperature_last = false;  // top_k, top_p and min_p look at the distribution at temperature 1
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::optional<uint64_t> seed;    // the same seed gives the same tokens, whoever else is served
  int n_logprobs = -1;             // -1: none; 0: of the chosen token; n: also of the n best
  bool logprobs_as_drawn = false;  // of what is drawn from, when all is applied: the best may be fewer than n
};

// How many of the best logits sampling looks at: as many must be exact, and the others may be smaller than they are.
// 0: all of them count.
inline int exact_logits(const SamplingOptions& o) {
  constexpr int kMost = 1024;  // above, finding the best costs more than it spares
  const bool as_they_are = o.repetition_penalty == 1.0f && o.presence_penalty == 0.0f && o.frequency_penalty == 0.0f &&
                           o.logit_bias.empty() && o.n_logprobs < 0;
  if (!as_they_are) return 0;
  if (o.temperature == 0.0f) return 1;
  return o.top_k <= kMost ? o.top_k : 0;
}

struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;
};

struct SampledToken {
  int32_t id = 0;
  float logprob = 0;  // of the model's own distribution, before any filter, or as drawn; set when asked for
  std::vector<TokenLogprob> best;  // descending
};

}  // namespace paro
