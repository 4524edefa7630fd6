#include "cli/model_card.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <cmath>
#include <map>
#include <string>

#include "base/processors.h"
#include "cli/backends.h"
#include "cli/model_parts.h"
#include "cli/serving_options.h"
#include "cli/special_tokens.h"
#include "cli/step_bytes.h"
#include "engine/generation_defaults.h"
#include "engine/memory_plan.h"
#include "models/model.h"
#include "text/chat_format.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

void add_layers(json::object& card, const ModelConfig& config, const ModelSpec& spec) {
  std::map<std::string, int> kinds;
  if (config.text.has("layer_types")) {
    for (const std::string& type : config.text.get_strings("layer_types")) ++kinds[type];
  } else {
    for (const KvLayerSpec& layer : spec.kv_layers) {
      ++kinds[layer.kind == CacheKind::sliding ? "sliding_attention" : "full_attention"];
    }
  }
  card["layers"] = spec.n_layers;
  json::object by_kind;
  for (const auto& [kind, n] : kinds) by_kind[kind] = n;
  card["layers by kind"] = std::move(by_kind);
  std::map<std::string, int> shapes;
  for (const KvLayerSpec& layer : spec.kv_layers) {
    ++shapes[fmt::format("{} heads of {}, {}", layer.n_kv_heads, layer.head_dim,
                         layer.kind == CacheKind::sliding ? fmt::format("window {}", spec.sliding_window)
                                                          : std::string("whole context"))];
  }
  json::array caches;
  for (const auto& [shape, n] : shapes) caches.push_back({{"layers", n}, {"keys", shape}});
  card["keys and values"] = std::move(caches);
}

// Numbers that config.json states under these names.
void add_sizes(json::object& card, const Config& text) {
  constexpr std::pair<const char*, const char*> kSizes[] = {
      {"hidden size", "hidden_size"},
      {"dense width", "intermediate_size"},
      {"query heads", "num_attention_heads"},
      {"per-layer input", "hidden_size_per_layer_input"},
  };
  for (const auto& [name, key] : kSizes) {
    if (const int64_t n = text.get_int(key, 0); n > 0) card[name] = n;
  }
}

// A head for multi-token prediction is often declared and left out of the files.
const char* mtp_head(const ModelConfig& config, const SafetensorsFiles* files) {
  const char* key = "mtp_num_hidden_layers";
  const bool declared = config.text.get_int(key, 0) > 0 || config.root.get_int(key, 0) > 0;
  if (files == nullptr) return declared ? "declared" : "none";
  const auto& tensors = files->tensors();
  const bool stored = std::any_of(tensors.begin(), tensors.end(), [](const auto& tensor) {
    return tensor.first.starts_with("mtp") || tensor.first.find(".mtp.") != std::string::npos;
  });
  if (declared) return stored ? "declared and in the files, not used" : "declared, not in the files";
  return stored ? "in the files, not declared" : "none";
}

json::array to_json(const std::vector<ModelPart>& parts) {
  json::array out;
  for (const ModelPart& part : parts) {
    out.push_back({{"part", part.name}, {"format", part.format}, {"tensors", part.n_tensors}, {"bytes", part.n_bytes}});
  }
  return out;
}

json::array to_json(const std::vector<SkippedPart>& parts) {
  json::array out;
  for (const SkippedPart& part : parts) {
    out.push_back({{"why", part.why}, {"tensors", part.n_tensors}, {"bytes", part.n_bytes}, {"first", part.first}});
  }
  return out;
}

json::array to_json(const std::vector<SpecialToken>& tokens) {
  json::array out;
  for (const SpecialToken& token : tokens) {
    json::object row = {{"id", token.id}};
    if (!token.text.empty()) row["text"] = token.text;
    row["use"] = json::array(token.uses.begin(), token.uses.end());
    out.push_back(std::move(row));
  }
  return out;
}

void add_files(json::object& card, const ModelFiles& files, const WeightBinder& bound) {
  if (!files.tensors) {
    card["stored"] = "config.json alone";
    return;
  }
  card["stored"] = {{"tensors", files.tensors->tensors().size()},
                    {"files", files.tensors->files().size()},
                    {"bytes", files.tensors->n_bytes()}};
  card["parts"] = to_json(parts_of(bound.loads()));
  card["skipped"] = to_json(skipped_of(bound, *files.tensors));
}

// What it takes to serve the model, and what its weights cost a token.
void add_budget(json::object& card, const fs::path& model, const ModelFiles& files, const TextModel* text,
                Backend& backend) {
  EngineOptions options;
  options.model = model;
  options = serving_options(options, text == nullptr ? std::vector<MemoryClass>() : text->serving_memory());
  const MemoryBounds bounds = memory_bounds(options, files.config, files.weights(), backend);
  card["budget"] = {{"smallest bytes", bounds.smallest_bytes},
                    {"all resident bytes", bounds.all_resident_bytes},
                    {"backend", backend.name()}};
}

void add_step(json::object& card, const StepBytes& step) {
  card["read by a token"] = {{"bytes", std::llround(step.total())},
                             {"dense bytes", std::llround(step.weights)},
                             {"expert bytes", std::llround(step.experts)}};
}

void add_text(json::object& card, const fs::path& model, const ModelConfig& config, const TextModel* text) {
  const GenerationDefaults defaults = read_generation_defaults(model, config);
  const SamplingOptions& s = defaults.sampling;
  card["sampling"] = {{"temperature", s.temperature}, {"top_k", s.top_k}, {"top_p", s.top_p}};
  card["stop tokens"] = json::array(defaults.stop_tokens.begin(), defaults.stop_tokens.end());
  card["special tokens"] = to_json(special_tokens(config, defaults, text));
  if (text == nullptr) {
    card["tokenizer"] = "none";
    return;
  }
  card["tokenizer"] = {{"tokens", text->tokenizer.vocab_size()}, {"bytes", text->tokenizer.memory_bytes()}};
  card["bos token"] = text->bos_token;
  card["eos token"] = text->eos_token;
  card["pad token"] = text->pad_token;
  const auto& chat_template = text->chat_template;
  card["answer format"] = text->chat_format().name;
  card["chat template"] = chat_template.has_value();
  card["tools"] = chat_template && chat_template->mentions("tools");
  card["thinking"] = chat_template && chat_template->mentions("enable_thinking");
}

}  // namespace

json::object model_card(const fs::path& model, const ModelFiles& files, const TextModel* text) {
  const ModelConfig& config = files.config;
  const auto backend = make_backend("cpu", {default_threads(), ""});
  WeightBinder binder(*backend, config, files.weights(), nullptr, {.head_type = backend->default_head_type()});
  const auto bound = find_architecture(config).make(config, binder);
  const ModelSpec& spec = bound->spec();

  json::object card;
  card["architecture"] = config.model_type;
  add_layers(card, config, spec);
  add_sizes(card, config.text);
  if (spec.n_experts > 0) {
    card["experts"] = {{"of a layer", spec.n_experts}, {"used by a token", spec.experts_per_token}};
  }
  card["vocabulary"] = spec.vocab_size;
  card["context"] = spec.max_position_embeddings;
  card["paroquant"] = {{"bits", 4}, {"group_size", config.group_size}, {"krot", config.krot}};
  card["mtp head"] = mtp_head(config, files.weights());
  add_files(card, files, binder);
  add_budget(card, model, files, text, *backend);
  add_step(card, weight_step_bytes(binder, *backend, spec, /*n_sequences=*/1));
  add_text(card, model, config, text);
  return card;
}

}  // namespace paro::cli
