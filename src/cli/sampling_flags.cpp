#include "cli/sampling_flags.h"

#include <CLI/CLI.hpp>

#include "cli/number_range.h"

namespace paro::cli {
namespace {

constexpr const char* kGroup = "Sampling (default: generation_config.json)";

}  // namespace

void SamplingFlags::add_server_to(CLI::App& app) {
  app.add_option("--temp", temperature, "Temperature; 0 takes the likeliest token")
      ->check(number_range(0, 100))
      ->group(kGroup);
  app.add_option("--top-p", top_p, "Keep the likeliest tokens of this much probability; 1 is off")
      ->check(number_range(0, 1))
      ->group(kGroup);
  app.add_option("--top-k", top_k, "Keep the K likeliest tokens; 0 is off")
      ->check(CLI::NonNegativeNumber)
      ->group(kGroup);
  app.add_option("--seed", seed, "The same seed gives the same answer")->group(kGroup);
}

void SamplingFlags::add_to(CLI::App& app) {
  add_server_to(app);
  app.add_option("--min-p", min_p, "Keep tokens of this part of the likeliest one's probability; 0 is off")
      ->check(number_range(0, 1))
      ->group(kGroup);
  app.add_option("--repetition-penalty", repetition_penalty, "Above 1 makes tokens seen less likely; 1 is off")
      ->check(number_range(0.01, 100))
      ->group(kGroup);
  app.add_option("--presence-penalty", presence_penalty, "Taken once from tokens generated")
      ->check(number_range(-100, 100))
      ->group(kGroup);
  app.add_option("--frequency-penalty", frequency_penalty, "Taken for each time a token was generated")
      ->check(number_range(-100, 100))
      ->group(kGroup);
}

SamplingOptions SamplingFlags::over(SamplingOptions s) const {
  if (temperature) s.temperature = *temperature;
  if (top_p) s.top_p = *top_p;
  if (top_k) s.top_k = *top_k;
  if (min_p) s.min_p = *min_p;
  if (repetition_penalty) s.repetition_penalty = *repetition_penalty;
  if (presence_penalty) s.presence_penalty = *presence_penalty;
  if (frequency_penalty) s.frequency_penalty = *frequency_penalty;
  if (seed) s.seed = seed;
  return s;
}

}  // namespace paro::cli
