#include "server/generation_options.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "server/api_error.h"

namespace paro::server {
namespace {

namespace json = boost::json;

constexpr size_t kMaxStopStrings = 64;
constexpr size_t kMaxStopBytes = 1024;

void read_number(const JsonFields& fields, std::string_view name, double least, double most, float& option) {
  if (const std::optional<double> number = fields.number(name, least, most)) option = static_cast<float>(*number);
}

std::vector<std::pair<int32_t, float>> read_logit_bias(const JsonFields& fields, int vocab_size) {
  std::vector<std::pair<int32_t, float>> bias;
  const json::object* object = fields.object("logit_bias");
  if (object == nullptr) return bias;
  for (const auto& [key, value] : *object) {
    int32_t id = -1;
    const auto [end, failure] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (failure != std::errc() || end != key.data() + key.size() || id < 0 || id >= vocab_size)
      throw invalid_field(
          "logit_bias", fmt::format("has the key '{}', must be token ids below {}", std::string_view(key), vocab_size));
    const double amount = value.is_number() ? value.to_number<double>() : 1000;
    if (!(amount >= -100 && amount <= 100)) throw invalid_field("logit_bias", "must have numbers from -100 to 100");
    bias.emplace_back(id, static_cast<float>(amount));
  }
  return bias;
}

}  // namespace

std::vector<std::string> read_stop_strings(const JsonFields& fields, std::string_view name) {
  std::vector<std::string> stop;
  const json::value* value = fields.find(name);
  if (value == nullptr) return stop;
  if (const json::string* text = value->if_string()) {
    stop.emplace_back(*text);
  } else if (const json::array* list = value->if_array()) {
    for (const json::value& element : *list) {
      if (!element.is_string()) throw invalid_field(name, "must be a string or a list of strings");
      stop.emplace_back(element.get_string());
    }
  } else {
    throw invalid_field(name, "must be a string or a list of strings");
  }
  if (stop.size() > kMaxStopStrings) throw invalid_field(name, fmt::format("has more than {}", kMaxStopStrings));
  for (const std::string& text : stop)
    if (text.empty() || text.size() > kMaxStopBytes)
      throw invalid_field(name, fmt::format("must have strings of 1 to {} bytes", kMaxStopBytes));
  return stop;
}

GenerationOptions read_generation_options(const JsonFields& fields, const SamplingOptions& defaults, int vocab_size) {
  GenerationOptions options;
  SamplingOptions& sampling = options.sampling;
  sampling = defaults;
  read_number(fields, "temperature", 0, 2, sampling.temperature);
  read_number(fields, "top_p", 0, 1, sampling.top_p);
  sampling.top_p = std::max(sampling.top_p, 1e-6f);  // 0 keeps the best token, as the smallest share does
  read_number(fields, "min_p", 0, 1, sampling.min_p);
  read_number(fields, "repetition_penalty", 0.01, 10, sampling.repetition_penalty);
  read_number(fields, "presence_penalty", -2, 2, sampling.presence_penalty);
  read_number(fields, "frequency_penalty", -2, 2, sampling.frequency_penalty);
  if (const auto top_k = fields.integer("top_k", -1, std::numeric_limits<int>::max()))
    sampling.top_k = static_cast<int>(std::max<int64_t>(*top_k, 0));
  if (const auto seed =
          fields.integer("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()))
    sampling.seed = static_cast<uint64_t>(*seed);
  sampling.logit_bias = read_logit_bias(fields, vocab_size);

  for (const std::string_view name : {"max_tokens", "max_completion_tokens"}) {
    if (const auto max_tokens = fields.integer(name, 1, std::numeric_limits<int>::max())) {
      options.max_tokens = static_cast<int>(*max_tokens);
      options.max_tokens_field = name;
    }
  }
  options.stop = read_stop_strings(fields, "stop");
  options.n = static_cast<int>(fields.integer("n", 1, kMaxChoices).value_or(1));
  options.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  options.stream = fields.boolean("stream").value_or(false);
  options.return_progress = fields.boolean("return_progress").value_or(false);
  options.timings_per_token = fields.boolean("timings_per_token").value_or(false);
  options.cache_prompt = fields.boolean("cache_prompt").value_or(true);
  options.verbose = fields.boolean("verbose").value_or(false);
  if (const json::object* stream_options = fields.object("stream_options"))
    options.include_usage = JsonFields(*stream_options, "stream_options.").boolean("include_usage").value_or(false);
  return options;
}

}  // namespace paro::server
