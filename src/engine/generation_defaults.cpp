#include "engine/generation_defaults.h"

#include <limits>
#include <optional>

#include "base/error.h"
#include "engine/sampler.h"

namespace paro {

GenerationDefaults read_generation_defaults(const std::filesystem::path& directory, const ModelConfig& config) {
  const auto file = directory / "generation_config.json";
  std::optional<Config> generation;
  if (std::filesystem::exists(file)) generation = Config::load(file);

  GenerationDefaults defaults;
  const auto read_stop_tokens = [&](const Config& source) {
    if (!source.has("eos_token_id")) return;
    for (const int64_t id : source.get_ints("eos_token_id")) {
      if (id < 0 || id > std::numeric_limits<int32_t>::max()) {
        throw Error(ErrorKind::config, "{}: eos_token_id holds {}, expected token ids", source.where(), id);
      }
      defaults.stop_tokens.push_back(int32_t(id));
    }
  };
  if (generation) read_stop_tokens(*generation);
  if (defaults.stop_tokens.empty()) read_stop_tokens(config.text);
  if (defaults.stop_tokens.empty()) read_stop_tokens(config.root);

  if (!generation) return defaults;
  SamplingOptions& s = defaults.sampling;
  s.temperature = float(generation->get_float("temperature", 1.0));
  if (!generation->get_bool("do_sample", false)) s.temperature = 0;
  s.top_k = int(generation->get_int_in("top_k", s.top_k, 0, std::numeric_limits<int32_t>::max()));
  s.top_p = float(generation->get_float("top_p", s.top_p));
  s.min_p = float(generation->get_float("min_p", s.min_p));
  s.repetition_penalty = float(generation->get_float("repetition_penalty", s.repetition_penalty));
  try {
    check_sampling(s, std::numeric_limits<int32_t>::max());
  } catch (const Error& error) {
    throw Error(ErrorKind::config, "{}: {}", generation->where(), error.message());
  }
  return defaults;
}

}  // namespace paro
