#include "server/usage.h"

#include <algorithm>

namespace paro::server {

namespace json = boost::json;

json::object usage_of(const std::vector<Choice>& choices, size_t n_prompt_tokens, int n) {
  int64_t n_completion_tokens = 0, n_cached_tokens = 0;
  for (size_t i = 0; i < choices.size(); ++i) {
    n_completion_tokens += choices[i].n_tokens();
    if (i % static_cast<size_t>(n) == 0) n_cached_tokens += choices[i].end().n_cached_tokens;
  }
  json::object usage;
  usage["prompt_tokens"] = n_prompt_tokens;
  usage["completion_tokens"] = n_completion_tokens;
  usage["total_tokens"] = static_cast<int64_t>(n_prompt_tokens) + n_completion_tokens;
  json::object details;
  details["cached_tokens"] = n_cached_tokens;
  usage["prompt_tokens_details"] = std::move(details);
  return usage;
}

json::object timings_of(const std::vector<Choice>& choices) {
  const auto each_ms = [](double ms, int n) { return n > 0 ? ms / n : 0.0; };
  const auto per_second = [](double ms, int n) { return ms > 0 ? n * 1000.0 / ms : 0.0; };
  const GenerationEnd& first = choices.front().end();
  const int n_prompt = first.n_prompt_tokens - first.n_cached_tokens;
  int n_predicted = 0;
  double predicted_ms = 0;
  for (const Choice& choice : choices) {
    n_predicted += choice.n_tokens();
    predicted_ms = std::max(predicted_ms, choice.end().decode_ms);
  }
  json::object timings;
  timings["cache_n"] = first.n_cached_tokens;
  timings["prompt_n"] = n_prompt;
  timings["prompt_ms"] = first.prefill_ms;
  timings["prompt_per_token_ms"] = each_ms(first.prefill_ms, n_prompt);
  timings["prompt_per_second"] = per_second(first.prefill_ms, n_prompt);
  timings["predicted_n"] = n_predicted;
  timings["predicted_ms"] = predicted_ms;
  timings["predicted_per_token_ms"] = each_ms(predicted_ms, n_predicted);
  timings["predicted_per_second"] = per_second(predicted_ms, n_predicted);
  return timings;
}

}  // namespace paro::server
