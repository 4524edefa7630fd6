#include "server/usage.h"

#include <algorithm>

namespace paro::server {

namespace json = boost::json;

namespace {

struct Work {
  int n_cached = 0, n_prompt = 0;
  double prompt_ms = 0;
  int n_predicted = 0, n_steps = 0;
  double predicted_ms = 0;
};

json::object timings_of(const Work& work) {
  const auto each_ms = [](double ms, int n) { return n > 0 ? ms / n : 0.0; };
  const auto per_second = [](double ms, int n) { return ms > 0 ? n * 1000.0 / ms : 0.0; };
  json::object timings;
  timings["cache_n"] = work.n_cached;
  timings["prompt_n"] = work.n_prompt;
  timings["prompt_ms"] = work.prompt_ms;
  timings["prompt_per_token_ms"] = each_ms(work.prompt_ms, work.n_prompt);
  timings["prompt_per_second"] = per_second(work.prompt_ms, work.n_prompt);
  timings["predicted_n"] = work.n_predicted;
  timings["predicted_ms"] = work.predicted_ms;
  timings["predicted_per_token_ms"] = each_ms(work.predicted_ms, work.n_steps);
  timings["predicted_per_second"] = per_second(work.predicted_ms, work.n_steps);
  return timings;
}

}  // namespace

json::object usage_of(const std::vector<Choice>& choices, size_t n_prompt_tokens, int n) {
  int64_t n_completion_tokens = 0, n_reasoning_tokens = 0, n_cached_tokens = 0;
  for (size_t i = 0; i < choices.size(); ++i) {
    n_completion_tokens += choices[i].n_tokens();
    n_reasoning_tokens += choices[i].n_reasoning_tokens();
    if (i % static_cast<size_t>(n) == 0) n_cached_tokens += choices[i].end().n_cached_tokens;
  }
  json::object usage;
  usage["prompt_tokens"] = n_prompt_tokens;
  usage["completion_tokens"] = n_completion_tokens;
  usage["total_tokens"] = static_cast<int64_t>(n_prompt_tokens) + n_completion_tokens;
  usage["prompt_tokens_details"] = {{"cached_tokens", n_cached_tokens}};
  usage["completion_tokens_details"] = {{"reasoning_tokens", n_reasoning_tokens}};
  return usage;
}

json::object timings_of(std::span<const Choice> choices) {
  const GenerationEnd& first = choices.front().end();
  Work work{.n_cached = first.n_cached_tokens,
            .n_prompt = first.n_prompt_tokens - first.n_cached_tokens,
            .prompt_ms = first.prefill_ms};
  for (const Choice& choice : choices) {
    work.n_predicted += choice.n_tokens();
    work.n_steps += std::max(choice.n_tokens() - 1, 0);
    work.predicted_ms = std::max(work.predicted_ms, choice.end().decode_ms);
  }
  return timings_of(work);
}

json::object timings_of(const Pace& pace) {
  return timings_of(Work{.n_cached = pace.n_cached_tokens(),
                         .n_prompt = pace.n_prefilled_tokens() - pace.n_cached_tokens(),
                         .prompt_ms = pace.prefill_ms(),
                         .n_predicted = pace.n_tokens(),
                         .n_steps = std::max(pace.n_tokens() - 1, 0),
                         .predicted_ms = pace.decode_ms()});
}

json::object progress_of(const Pace& pace) {
  json::object progress;
  progress["total"] = pace.n_prompt_tokens();
  progress["cache"] = pace.n_cached_tokens();
  progress["processed"] = pace.n_prefilled_tokens();
  progress["time_ms"] = pace.prefill_ms();
  return progress;
}

}  // namespace paro::server
