// paro inspect: the card of facts about a model, read from its files; nothing is loaded.
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <map>

#include "backends/reference/reference_backend.h"
#include "cli/command.h"
#include "cli/model_files.h"
#include "cli/model_parts.h"
#include "cli/output.h"
#include "cli/text_model.h"
#include "engine/generation_defaults.h"
#include "models/model.h"
#include "text/chat_format.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

// Facts in the order they are shown; each is a line of text and a member of the JSON.
class Card {
 public:
  void add(const std::string& name, json::value value) { facts_[name] = std::move(value); }
  void add(const std::string& name, std::string_view text) { facts_[name] = json::value(text); }
  void add(const std::string& name, const char* text) { add(name, std::string_view(text)); }
  const json::object& json() const { return facts_; }

  std::string text() const {
    std::string out;
    for (const auto& [name, value] : facts_) {
      const bool is_table = value.is_array() && !value.get_array().empty() && value.get_array().front().is_object();
      out += is_table ? fmt::format("{}\n{}", std::string_view(name), table(value.get_array()))
                      : fmt::format("{:<22}{}\n", std::string_view(name), line(value));
    }
    return out;
  }

 private:
  // Bytes are told as people read them.
  static std::string line(const json::value& value) {
    if (value.is_string()) return std::string(std::string_view(value.get_string()));
    if (value.is_bool()) return value.get_bool() ? "yes" : "no";
    if (value.is_double()) return fmt::format("{:g}", value.get_double());
    std::vector<std::string> parts;
    if (value.is_object()) {
      for (const auto& [key, item] : value.get_object()) parts.push_back(named(key, item));
    } else if (value.is_array()) {
      for (const json::value& item : value.get_array()) parts.push_back(line(item));
    } else {
      return json::serialize(value);
    }
    return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
  }

  static std::string named(std::string_view key, const json::value& item) {
    if (key == "bytes") return format_bytes(item.to_number<int64_t>());
    return item.is_string() ? line(item) : fmt::format("{} {}", line(item), key);
  }

  // A line for each object, members below each other.
  static std::string table(const json::array& rows) {
    std::vector<size_t> widths;
    std::vector<std::vector<std::string>> cells;
    for (const json::value& row : rows) {
      std::vector<std::string>& cell = cells.emplace_back();
      for (const auto& [key, item] : row.get_object()) {
        cell.push_back(named(key, item));
        if (widths.size() < cell.size()) widths.push_back(0);
        widths[cell.size() - 1] = std::max(widths[cell.size() - 1], cell.back().size());
      }
    }
    std::string out;
    for (const auto& cell : cells) {
      for (size_t i = 0; i < cell.size(); ++i)
        out += fmt::format("  {:<{}}", cell[i], i + 1 < cell.size() ? widths[i] : 0);
      out += "\n";
    }
    return out;
  }

  json::object facts_;
};

void add_layers(Card& card, const ModelConfig& config, const ModelSpec& spec) {
  std::map<std::string, int> kinds;
  if (config.text.has("layer_types")) {
    for (const std::string& type : config.text.get_strings("layer_types")) ++kinds[type];
  } else {
    for (const KvLayerSpec& layer : spec.kv_layers) {
      ++kinds[layer.kind == CacheKind::sliding ? "sliding_attention" : "full_attention"];
    }
  }
  card.add("layers", spec.n_layers);
  json::object by_kind;
  for (const auto& [kind, n] : kinds) by_kind[kind] = n;
  card.add("layers by kind", by_kind);
  std::map<std::string, int> shapes;
  for (const KvLayerSpec& layer : spec.kv_layers) {
    ++shapes[fmt::format("{} heads of {}, {}", layer.n_kv_heads, layer.head_dim,
                         layer.kind == CacheKind::sliding ? fmt::format("window {}", spec.sliding_window)
                                                          : std::string("whole context"))];
  }
  json::array caches;
  for (const auto& [shape, n] : shapes) caches.push_back({{"layers", n}, {"keys", shape}});
  card.add("keys and values", std::move(caches));
}

// Numbers that config.json states under these names.
void add_sizes(Card& card, const Config& text) {
  constexpr std::pair<const char*, const char*> kSizes[] = {
      {"hidden size", "hidden_size"},
      {"dense width", "intermediate_size"},
      {"query heads", "num_attention_heads"},
      {"per-layer input", "hidden_size_per_layer_input"},
  };
  for (const auto& [name, key] : kSizes) {
    if (const int64_t n = text.get_int(key, 0); n > 0) card.add(name, n);
  }
}

void add_text(Card& card, const fs::path& directory, const ModelConfig& config) {
  const GenerationDefaults defaults = read_generation_defaults(directory, config);
  const SamplingOptions& s = defaults.sampling;
  card.add("sampling", json::object{{"temperature", s.temperature}, {"top_k", s.top_k}, {"top_p", s.top_p}});
  card.add("stop tokens", json::array(defaults.stop_tokens.begin(), defaults.stop_tokens.end()));
  if (!fs::exists(directory / "tokenizer.json")) {
    card.add("tokenizer", "none");
    return;
  }
  const TextModel text = TextModel::load(directory);
  card.add("tokenizer",
           json::object{{"tokens", text.tokenizer.vocab_size()}, {"bytes", text.tokenizer.memory_bytes()}});
  card.add("bos token", text.bos_token);
  card.add("eos token", text.eos_token);
  card.add("answer format", text::chat_format_for(text.tokenizer).name);
  card.add("chat template", text.chat_template.has_value());
  if (!text.chat_template) return;
  card.add("tools", text.chat_template->mentions("tools"));
  card.add("thinking", text.chat_template->mentions("enable_thinking"));
}

class Inspect final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    app.add_option("MODEL", model_, "Directory in Hugging Face layout, or a config.json alone")->required();
    app.add_flag("--json", json_, "Print the facts as JSON");
  }

  int run() override {
    const ModelFiles files = ModelFiles::open(model_);
    const ModelConfig& config = files.config;
    const auto backend = make_reference_backend();
    WeightBinder binder(*backend, config, files.weights(), nullptr, {});
    const ModelSpec spec = find_architecture(config).make(config, binder)->spec();

    Card card;
    card.add("architecture", config.model_type);
    add_layers(card, config, spec);
    add_sizes(card, config.text);
    if (spec.n_experts > 0) {
      card.add("experts", json::object{{"of a layer", spec.n_experts}, {"used by a token", spec.experts_per_token}});
    }
    card.add("vocabulary", spec.vocab_size);
    card.add("context", spec.max_position_embeddings);
    card.add("paroquant", json::object{{"bits", 4}, {"group_size", config.group_size}, {"krot", config.krot}});
    if (const int64_t n = config.text.get_int("mtp_num_hidden_layers", 0); n > 0) {
      card.add("mtp head", "declared, not used");
    }
    if (files.tensors) {
      card.add("stored", json::object{{"tensors", files.tensors->tensors().size()},
                                      {"files", files.tensors->files().size()},
                                      {"bytes", files.tensors->n_bytes()}});
      card.add("parts", to_json(parts_of(binder.loads())));
      card.add("skipped", to_json(skipped_of(binder, *files.tensors)));
    } else {
      card.add("stored", "config.json alone");
    }
    if (fs::is_directory(model_)) add_text(card, model_, config);
    if (json_) {
      print_json(card.json());
    } else {
      print(card.text());
    }
    return 0;
  }

 private:
  static json::array to_json(const std::vector<ModelPart>& parts) {
    json::array out;
    for (const ModelPart& part : parts) {
      out.push_back(
          {{"part", part.name}, {"format", part.format}, {"tensors", part.n_tensors}, {"bytes", part.n_bytes}});
    }
    return out;
  }
  static json::array to_json(const std::vector<SkippedPart>& parts) {
    json::array out;
    for (const SkippedPart& part : parts) {
      out.push_back({{"why", part.why}, {"tensors", part.n_tensors}, {"bytes", part.n_bytes}, {"first", part.first}});
    }
    return out;
  }

  fs::path model_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_inspect() { return std::make_unique<Inspect>(); }

}  // namespace paro::cli
