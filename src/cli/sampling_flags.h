// The flags that say how tokens are chosen. What is not given is the model's own, from generation_config.json.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>

#include "engine/sampling.h"

namespace paro::cli {

struct SamplingFlags {
  std::optional<float> temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int> top_k;
  std::optional<uint64_t> seed;

  void add_to(CLI::App& app);         // all of them
  void add_server_to(CLI::App& app);  // those that a server has defaults for
  SamplingOptions over(SamplingOptions defaults) const;
};

}  // namespace paro::cli
