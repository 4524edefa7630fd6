// The fields that every generating route has: sampling, limits, stop strings, streaming.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/sampling.h"
#include "server/json_fields.h"

namespace paro::server {

struct GenerationOptions {
  SamplingOptions sampling;
  std::optional<int> max_tokens;  // else what the context leaves
  std::string max_tokens_field = "max_tokens";
  bool clips_max_tokens = false;  // to what the context leaves, beyond which it is an error otherwise
  std::vector<std::string> stop;
  int n = 1;
  bool ignore_eos = false;
  bool stream = false;
  bool include_usage = false;
  bool return_progress = false;    // a stream tells of prefill
  bool timings_per_token = false;  // and how long everything took so far
  bool cache_prompt = true;        // from the cache of prefixes, and into it
  bool verbose = false;            // an answer tells the prompt that the model got
};

constexpr int kMaxChoices = 128;
// A string, or a list of strings. Throws ApiError 400.
std::vector<std::string> read_stop_strings(const JsonFields& fields, std::string_view name);

// logprobs are read by the routes, whose fields differ. `defaults` hold where the request says nothing.
GenerationOptions read_generation_options(const JsonFields& fields, const SamplingOptions& defaults, int vocab_size);

}  // namespace paro::server
