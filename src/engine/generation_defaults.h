// What generation_config.json, or failing that config.json, says of sampling and of the tokens that end an answer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "checkpoint/config.h"
#include "engine/sampling.h"

namespace paro {

struct GenerationDefaults {
  SamplingOptions sampling;  // greedy when do_sample is false
  std::vector<int32_t> stop_tokens;
};

// generation_config.json is optional. Throws Error{config}.
GenerationDefaults read_generation_defaults(const std::filesystem::path& directory, const ModelConfig& config);

}  // namespace paro
