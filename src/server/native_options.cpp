#include "server/native_options.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include "server/api_error.h"
#include "server/json_fields.h"

namespace paro::server {
namespace {

namespace json = boost::json;

constexpr int kMostInt = std::numeric_limits<int>::max();
constexpr float kNever = -1e6f;  // a bias that no logit outweighs

// In the order in which they are applied; llama.cpp's own has temperature last.
constexpr std::array<std::string_view, 4> kFilters{"penalties", "top_k", "top_p", "min_p"};
constexpr std::string_view kTemperature = "temperature";
// Samplers that are off unless their own fields turn them on, which is refused.
constexpr std::array<std::string_view, 7> kAbsentSamplers{"dry",         "typ_p",  "typical_p", "xtc",
                                                          "top_n_sigma", "infill", "adaptive_p"};

struct Off {
  std::string_view field;
  double least, most;  // values with which the sampler does nothing
};

constexpr double kAny = std::numeric_limits<double>::max();
constexpr std::array kOff{
    Off{"dynatemp_range", 0, 0},       Off{"typical_p", 1, kAny}, Off{"xtc_probability", -kAny, 0},
    Off{"dry_multiplier", 0, 0},       Off{"mirostat", 0, 0},     Off{"top_n_sigma", -kAny, 0},
    Off{"adaptive_target", -kAny, 0},  Off{"min_keep", 0, 1},     Off{"n_indent", 0, 0},
    Off{"t_max_predict_ms", -kAny, 0},
};

void refuse_what_is_absent(const JsonFields& fields) {
  for (const Off& off : kOff) {
    const auto value = fields.number(off.field, -kAny, kAny);
    if (value && !(*value >= off.least && *value <= off.most))
      throw invalid_field(off.field, "is not supported; leave it out");
  }
  if (const json::array* adapters = fields.array("lora"); adapters && !adapters->empty())
    throw invalid_field("lora", "is not supported: no adapters are loaded");
}

template <size_t n>
bool has(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Which of the samplers there are, and whether temperature comes after the filters.
void read_samplers(const JsonFields& fields, SamplingOptions& sampling) {
  const json::value* value = fields.find("samplers");
  if (value == nullptr) return;
  const json::array* names = value->if_array();
  if (names == nullptr) throw invalid_field("samplers", "must be a list of names");
  std::vector<std::string_view> order;
  for (const json::value& each : *names) {
    const json::string* name = each.if_string();
    if (name == nullptr) throw invalid_field("samplers", "must be a list of names");
    const std::string_view text = *name;
    if (has(kAbsentSamplers, text)) continue;
    if (!has(kFilters, text) && text != kTemperature)
      throw invalid_field("samplers", fmt::format("has '{}', which is not known", text));
    order.push_back(text);
  }
  const auto place = [&](std::string_view name) { return std::find(order.begin(), order.end(), name) - order.begin(); };
  const auto left_out = [&](std::string_view name) { return place(name) == std::ssize(order); };

  std::vector<std::string_view> filters = order;
  std::erase(filters, kTemperature);
  const auto rank = [](std::string_view name) { return std::find(kFilters.begin(), kFilters.end(), name); };
  const auto follows = [&](std::string_view a, std::string_view b) { return rank(a) >= rank(b); };
  if (std::adjacent_find(filters.begin(), filters.end(), follows) != filters.end())
    throw invalid_field("samplers", "must be in the order penalties, top_k, top_p, min_p, each once");

  if (left_out("penalties")) {
    sampling.repetition_penalty = 1;
    sampling.presence_penalty = sampling.frequency_penalty = 0;
  }
  if (left_out("top_k")) sampling.top_k = 0;
  if (left_out("top_p")) sampling.top_p = 1;
  if (left_out("min_p")) sampling.min_p = 0;
  if (left_out(kTemperature)) {
    if (sampling.temperature > 0) sampling.temperature = 1;
    return;
  }
  // top_k keeps the same tokens at every temperature.
  const auto at = place(kTemperature);
  const auto is_before = [&](std::string_view name) { return !left_out(name) && place(name) < at; };
  const auto is_behind = [&](std::string_view name) { return !left_out(name) && place(name) > at; };
  const bool some_before = is_before("top_p") || is_before("min_p");
  if (some_before && (is_behind("top_p") || is_behind("min_p")))
    throw invalid_field("samplers", "must have temperature before both top_p and min_p, or behind them");
  sampling.temperature_last = !is_behind("top_p") && !is_behind("min_p");
}

class BiasReader {
 public:
  explicit BiasReader(const Service& service) : service_(service) {}

  std::vector<std::pair<int32_t, float>> read(const JsonFields& fields) {
    const json::value* value = fields.find("logit_bias");
    if (value == nullptr) return {};
    if (const json::object* object = value->if_object()) {
      for (const auto& [key, amount] : *object) add_named(key, bias_of(amount));
    } else if (const json::array* pairs = value->if_array()) {
      for (const json::value& each : *pairs) {
        const json::array* pair = each.if_array();
        if (pair == nullptr || pair->size() != 2) throw invalid_field("logit_bias", kShape);
        add((*pair)[0], bias_of((*pair)[1]));
      }
    } else {
      throw invalid_field("logit_bias", kShape);
    }
    return std::move(bias_);
  }

 private:
  static constexpr std::string_view kShape =
      "must be a list of pairs of a token id or text with a number or false, or an object of these";

  static float bias_of(const json::value& value) {
    if (value == false) return kNever;
    const double amount = value.is_number() ? value.to_number<double>() : kAny;
    if (!(amount >= kNever && amount <= -kNever)) throw invalid_field("logit_bias", kShape);
    return static_cast<float>(amount);
  }

  void add(const json::value& token, float amount) {
    boost::system::error_code failure;
    if (const json::string* text = token.if_string()) return add_text(*text, amount);
    const int64_t id = token.is_number() ? token.to_number<int64_t>(failure) : -1;
    if (failure) throw invalid_field("logit_bias", kShape);
    add_id(id, amount);
  }

  // A key of an object: digits are an id.
  void add_named(std::string_view key, float amount) {
    int64_t id = -1;
    const auto [end, failure] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (failure == std::errc() && end == key.data() + key.size()) return add_id(id, amount);
    add_text(key, amount);
  }

  void add_id(int64_t id, float amount) {
    const int vocab_size = service_.model.engine.info().vocab_size;
    if (id < 0 || id >= vocab_size)
      throw invalid_field("logit_bias", fmt::format("has token {}, must be 0 to {}", id, vocab_size - 1));
    bias_.emplace_back(static_cast<int32_t>(id), amount);
  }

  void add_text(std::string_view text, float amount) {
    service_.check_length(text, "logit_bias");
    for (const int32_t id : service_.model.tokenizer.encode(text, false)) bias_.emplace_back(id, amount);
  }

  const Service& service_;
  std::vector<std::pair<int32_t, float>> bias_;
};

void read_sampling(const JsonFields& fields, const Service& service, SamplingOptions& sampling) {
  const auto read = [&](std::string_view name, double least, double most, float& option) {
    if (const auto number = fields.number(name, least, most)) option = static_cast<float>(*number);
  };
  sampling = service.default_sampling;
  sampling.temperature_last = true;
  read("temperature", -kAny, 100, sampling.temperature);
  sampling.temperature = std::max(sampling.temperature, 0.0f);  // below 0 is greedy too
  read("top_p", 0, kAny, sampling.top_p);
  sampling.top_p = std::clamp(sampling.top_p, 1e-6f, 1.0f);
  read("min_p", 0, 1, sampling.min_p);
  read("repetition_penalty", 0.01, 100, sampling.repetition_penalty);
  read("repeat_penalty", 0.01, 100, sampling.repetition_penalty);
  read("presence_penalty", -100, 100, sampling.presence_penalty);
  read("frequency_penalty", -100, 100, sampling.frequency_penalty);
  const int max_context = service.model.engine.info().max_context;
  const int64_t window = fields.integer("repeat_last_n", -1, kMostInt).value_or(64);
  sampling.penalty_window = window < 0 ? max_context : static_cast<int>(std::min<int64_t>(window, max_context));
  if (const auto top_k = fields.integer("top_k", -kMostInt, kMostInt))
    sampling.top_k = static_cast<int>(std::max<int64_t>(*top_k, 0));
  if (const auto seed =
          fields.integer("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max())) {
    sampling.seed.reset();
    if (*seed != -1 && *seed != std::numeric_limits<uint32_t>::max()) sampling.seed = static_cast<uint64_t>(*seed);
  }
  read_samplers(fields, sampling);
  sampling.logit_bias = BiasReader(service).read(fields);
  if (fields.boolean("ignore_eos").value_or(false))
    for (const int32_t id : service.model.engine.info().stop_tokens) sampling.logit_bias.emplace_back(id, kNever);
}

}  // namespace

NativeOptions read_native_options(const json::object& body, const Service& service) {
  const JsonFields fields(body);
  refuse_what_is_absent(fields);
  NativeOptions options;
  GenerationOptions& generation = options.generation;
  read_sampling(fields, service, generation.sampling);
  const int64_t n_probs = fields.integer("n_probs", 0, 100).value_or(0);
  options.post_sampling_probs = fields.boolean("post_sampling_probs").value_or(false);
  generation.sampling.n_logprobs = n_probs > 0 ? static_cast<int>(n_probs) : -1;
  generation.sampling.logprobs_as_drawn = options.post_sampling_probs;

  for (const std::string_view name : {"max_tokens", "n_predict"}) {
    const auto n_predict = fields.integer(name, -2, kMostInt);
    if (n_predict == 0) throw invalid_field(name, "is 0, must be at least 1, or -1 for all that the context leaves");
    if (n_predict && *n_predict > 0) generation.max_tokens = static_cast<int>(*n_predict);
  }
  for (const std::string_view name : {"n", "n_cmpl"})
    if (const auto n = fields.integer(name, 1, kMaxChoices)) generation.n = static_cast<int>(*n);
  generation.clips_max_tokens = true;
  generation.stop = read_stop_strings(fields, "stop");
  generation.cache_prompt = fields.boolean("cache_prompt").value_or(true);
  generation.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  generation.stream = fields.boolean("stream").value_or(false);
  generation.timings_per_token = fields.boolean("timings_per_token").value_or(false);
  generation.return_progress = fields.boolean("return_progress").value_or(false);
  options.return_tokens = fields.boolean("return_tokens").value_or(false);
  if (const json::array* names = fields.array("response_fields")) {
    for (const json::value& name : *names) {
      if (!name.is_string()) throw invalid_field("response_fields", "must be a list of strings");
      options.response_fields.emplace_back(name.get_string());
    }
  }
  return options;
}

json::object generation_settings(const NativeOptions& options) {
  const GenerationOptions& generation = options.generation;
  const SamplingOptions& sampling = generation.sampling;
  json::array bias, samplers{"penalties", "top_k", "top_p", "min_p"};
  for (const auto& [id, amount] : sampling.logit_bias) {
    json::object entry;
    entry["bias"] = amount <= kNever ? json::value(nullptr) : json::value(amount);
    entry["token"] = id;
    bias.emplace_back(std::move(entry));
  }
  samplers.insert(sampling.temperature_last ? samplers.end() : samplers.begin() + 1, json::value(kTemperature));
  json::object settings{
      {"seed", sampling.seed ? json::value(*sampling.seed) : json::value(-1)},
      {"temperature", sampling.temperature},
      {"dynatemp_range", 0},
      {"dynatemp_exponent", 1},
      {"top_k", sampling.top_k},
      {"top_p", sampling.top_p},
      {"min_p", sampling.min_p},
      {"top_n_sigma", -1},
      {"xtc_probability", 0},
      {"xtc_threshold", 0.1},
      {"typical_p", 1},
      {"repeat_last_n", sampling.penalty_window.value_or(-1)},
      {"repeat_penalty", sampling.repetition_penalty},
      {"presence_penalty", sampling.presence_penalty},
      {"frequency_penalty", sampling.frequency_penalty},
      {"dry_multiplier", 0},
      {"mirostat", 0},
      {"adaptive_target", -1},
      {"adaptive_decay", 0},
      {"max_tokens", generation.max_tokens.value_or(-1)},
      {"n_predict", generation.max_tokens.value_or(-1)},
      {"n_keep", 0},
      {"n_discard", 0},
      {"ignore_eos", generation.ignore_eos},
      {"stream", generation.stream},
      {"n_probs", std::max(sampling.n_logprobs, 0)},
      {"min_keep", 0},
      {"timings_per_token", generation.timings_per_token},
      {"post_sampling_probs", options.post_sampling_probs},
  };
  settings["stop"] = json::array(generation.stop.begin(), generation.stop.end());
  settings["logit_bias"] = std::move(bias);
  settings["samplers"] = std::move(samplers);
  settings["lora"] = json::array();
  return settings;
}

}  // namespace paro::server
