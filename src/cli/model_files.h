// A model as commands find it that do not run it: its config, and its weights where they are there.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "checkpoint/config.h"
#include "checkpoint/safetensors.h"
#include "engine/memory_report.h"

namespace paro::cli {

struct ModelFiles {
  ModelConfig config;
  std::optional<SafetensorsFiles> tensors;  // empty: only the config is there

  const SafetensorsFiles* weights() const { return tensors ? &*tensors : nullptr; }

  // `model` is a directory or the path of a config.json.
  static ModelFiles open(const std::filesystem::path& model);
};

// Throws Error{not_found} unless there is a directory with a config.json.
void check_model_directory(const std::filesystem::path& model);

}  // namespace paro::cli
