// From a model's directory to what is served: its settings, its plan, and it itself.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/common_options.h"
#include "cli/sampling_flags.h"
#include "cli/text_model.h"
#include "engine/engine.h"
#include "engine/memory_plan.h"
#include "server/model_library.h"
#include "server/model_settings.h"

namespace paro::cli {

// What the command line says of every model.
struct ServedFlags {
  const CommonOptions& common;
  const SamplingFlags& sampling;
  const server::ServerOptions& server;
  int max_queue = 0;
  std::optional<std::filesystem::path> settings_file, template_file;
};

class ModelOpener {
 public:
  // Reads the model's settings. `flags` outlive this. Throws Error.
  ModelOpener(std::filesystem::path model, std::string id, const ServedFlags& flags);

  // The plan within budget_bytes, or within what the machine has free; nothing is kept in memory. Throws Error.
  MemoryPlan plan(std::optional<int64_t> budget_bytes) const;

  // Loads it within the plan, which is shown before if shows_plan. Throws Error, and what `progress` throws.
  server::LoadedModel load(std::optional<int64_t> budget_bytes, bool shows_plan, const LoadProgress& progress) const;

  // For a library of several; where it cannot be planned, the reason is in `refusal`.
  static server::ServableModel servable(const std::filesystem::path& model, const std::string& id,
                                        const ServedFlags& flags, std::optional<int64_t> budget_bytes);

 private:
  EngineOptions options(std::optional<int64_t> budget_bytes, std::vector<MemoryClass> text) const;
  server::ServerOptions server_options() const;
  std::string card(const TextModel* text) const;

  std::filesystem::path model_;
  std::string id_;
  const ServedFlags& flags_;
  server::ModelSettings settings_;
};

}  // namespace paro::cli
