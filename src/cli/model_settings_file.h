// The settings of a model that is to be served: those of --model-settings, else of model_settings.json in its
// directory.
#pragma once

#include <filesystem>
#include <optional>

#include "engine/options.h"
#include "server/model_settings.h"

namespace paro::cli {

// None where there is no file. Throws Error: io, config.
server::ModelSettings read_model_settings(const std::filesystem::path& model,
                                          const std::optional<std::filesystem::path>& given);

// The context, unless a flag has told it.
void apply_to(EngineOptions& options, const server::ModelSettings& settings);

// What is asked for in vain: features that are not there, and a head for multi-token prediction that is none.
void warn_of_unused(const server::ModelSettings& settings, std::string_view mtp_head);

}  // namespace paro::cli
