#include "cli/model_opener.h"

#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "cli/model_card.h"
#include "cli/model_files.h"
#include "cli/model_location.h"
#include "cli/model_settings_file.h"
#include "cli/output.h"
#include "cli/serving_options.h"
#include "engine/batch_engine.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;

// What ServedModel refers to; the engine ends first.
struct Parts {
  TextModel text;
  std::unique_ptr<Engine> engine;
};

std::string template_shown(const TextModel& text) {
  return int64_t(text.template_source.size()) <= server::kMaxTemplateBytes ? text.template_source : std::string();
}

}  // namespace

ModelOpener::ModelOpener(fs::path model, std::string id, const ServedFlags& flags)
    : model_(std::move(model)),
      id_(std::move(id)),
      flags_(flags),
      settings_(read_model_settings(model_, flags.settings_file)) {}

EngineOptions ModelOpener::options(std::optional<int64_t> budget_bytes, std::vector<MemoryClass> text) const {
  EngineOptions options = flags_.common.engine_options(model_);
  apply_to(options, settings_);
  options = serving_options(options, std::move(text), flags_.server, flags_.max_queue);
  if (budget_bytes) options.memory_budget_bytes = budget_bytes;
  return options;
}

MemoryPlan ModelOpener::plan(std::optional<int64_t> budget_bytes) const {
  const ModelFiles files = ModelFiles::open(model_);
  if (files.weights() == nullptr) {
    throw Error(ErrorKind::checkpoint, "'{}' holds no safetensors files, expected the model's weights",
                model_.string());
  }
  const auto backend = flags_.common.make_backend();
  return plan_memory(options(budget_bytes, text_memory(model_)), files.config, files.weights(), *backend);
}

server::LoadedModel ModelOpener::load(std::optional<int64_t> budget_bytes, bool shows_plan,
                                      const LoadProgress& progress) const {
  auto parts = std::make_shared<Parts>(Parts{TextModel::load(model_, flags_.template_file), nullptr});
  const TextModel& text = parts->text;
  EngineOptions options = this->options(budget_bytes, text.serving_memory());
  auto backend = flags_.common.make_backend();
  {
    // Loading comes to the same as the plan that is shown.
    const ModelFiles files = ModelFiles::open(model_);
    const MemoryReport report = plan_memory(options, files.config, files.weights(), *backend).report;
    if (!report.fits) throw plan_refusal(report);
    options.memory_budget_bytes = report.budget_bytes;
    if (shows_plan) {
      print(
          fmt::format("{} as '{}', {}\nmemory plan\n{}", model_.string(), id_, backend->name(), format_table(report)));
    }
  }
  if (!text.chat_template) log::warn("the model '{}' has no chat template: only plain completions are served", id_);
  std::string card = this->card(&text);
  parts->engine = open_engine(options, std::move(backend), progress);
  server::ServedModel model{.id = id_,
                            .engine = *parts->engine,
                            .tokenizer = text.tokenizer,
                            .chat_template = text.chat_template ? &*text.chat_template : nullptr,
                            .bos_token = text.bos_token,
                            .eos_token = text.eos_token,
                            .card = std::move(card),
                            .alias = settings_.model_alias,
                            .display_name = settings_.display_name,
                            .directory = model_name(model_),
                            .template_source = template_shown(text)};
  return {server_options(), std::move(model), std::move(parts)};
}

server::ServableModel ModelOpener::servable(const fs::path& model, const std::string& id, const ServedFlags& flags,
                                            std::optional<int64_t> budget_bytes) {
  server::ServableModel servable{.id = id};
  try {
    auto opener = std::make_shared<const ModelOpener>(model, id, flags);
    const MemoryPlan plan = opener->plan(budget_bytes);
    const MemoryReport& report = plan.report;
    servable.alias = opener->settings_.model_alias;
    servable.display_name = opener->settings_.display_name;
    servable.card = opener->card(nullptr);
    servable.max_context = report.max_context;
    servable.max_batch = report.max_batch;
    servable.vocab_size = plan.spec.vocab_size;
    servable.plan_bytes = report.plan_bytes - server::planned_bytes(flags.server);
    if (!report.fits) servable.refusal = plan_refusal(report);
    servable.load = [opener = std::move(opener), budget = report.budget_bytes](const std::function<void()>& go_on) {
      return opener->load(budget, false, [&](int64_t, int64_t) { go_on(); });
    };
  } catch (const Error& error) {
    servable.refusal = error;
  }
  if (servable.refusal) log::warn("the model '{}' cannot be served: {}", id, servable.refusal->message());
  return servable;
}

// Flags win over the model's settings; what neither tells is generation_config.json's.
server::ServerOptions ModelOpener::server_options() const {
  server::ServerOptions options = flags_.server;
  const SamplingFlags& sampling = flags_.sampling;
  options.temperature = sampling.temperature ? sampling.temperature : settings_.temperature;
  options.top_p = sampling.top_p ? sampling.top_p : settings_.top_p;
  options.top_k = sampling.top_k ? sampling.top_k : settings_.top_k;
  options.seed = sampling.seed;
  options.min_p = settings_.min_p;
  options.repetition_penalty = settings_.repetition_penalty;
  options.presence_penalty = settings_.presence_penalty;
  options.frequency_penalty = settings_.frequency_penalty;
  options.max_tokens = settings_.max_tokens;
  return options;
}

// As `paro inspect --json` prints it.
std::string ModelOpener::card(const TextModel* text) const {
  const boost::json::object facts = model_card(model_, ModelFiles::open(model_), text);
  if (text != nullptr) warn_of_unused(settings_, std::string_view(facts.at("mtp head").as_string()));
  std::string card = to_text(facts);
  if (int64_t(card.size()) > server::kMaxCardBytes) {
    throw Error(ErrorKind::config, "'{}': its card has {} bytes, expected at most {}; are its stop tokens right?",
                model_.string(), card.size(), server::kMaxCardBytes);
  }
  return card;
}

}  // namespace paro::cli
