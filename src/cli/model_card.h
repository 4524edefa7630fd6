// The facts card of a model: what `paro inspect` shows and the server answers with, collected from its configs, its
// tokenizer and the headers of its weights. Nothing is loaded, nothing printed.
#pragma once

#include <boost/json/object.hpp>
#include <filesystem>

#include "cli/model_files.h"
#include "cli/text_model.h"

namespace paro::cli {

// Members in the order they are shown. `model` is the directory or config.json that `files` were opened from; `text`
// null: it has no tokenizer. Budgets and layouts are those of the cpu backend with default flags. Throws Error: config,
// checkpoint.
boost::json::object model_card(const std::filesystem::path& model, const ModelFiles& files, const TextModel* text);

}  // namespace paro::cli
