// Where models lie: a directory, or ORG/NAME that was pulled, or that other programs hold in Hugging Face's cache.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace paro::cli {

// $PARO_MODELS_DIR, else paro/models below $XDG_DATA_HOME or ~/.local/share. `pull` makes ORG/NAME in it.
std::filesystem::path default_models_directory();

// $HF_HOME, or where it is by default.
std::filesystem::path hugging_face_home();

// The directory of ORG/NAME; nothing where there is none, or `model` is no such name.
std::optional<std::filesystem::path> find_pulled(const std::string& model);

// The models in a directory, DIR/NAME and DIR/ORG/NAME, in the order of their ids, which are these names. Throws Error.
struct FoundModel {
  std::string id;
  std::filesystem::path directory;
};
std::vector<FoundModel> models_in(const std::filesystem::path& directory);

// "models/demo/" is served as "demo", a snapshot of Hugging Face's cache under the name of its repository.
std::string model_name(const std::filesystem::path& model);

}  // namespace paro::cli
