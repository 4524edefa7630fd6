#include "cli/model_files.h"

#include "base/error.h"
#include "base/file.h"
#include "hub/repository.h"

namespace paro::cli {

namespace fs = std::filesystem;

void check_model_directory(const fs::path& model) {
  std::error_code error;
  if (!fs::exists(model, error) && hub::is_repository_name(model.string())) {
    throw Error(ErrorKind::not_found,
                "there is no directory '{0}' with config.json and safetensors files, and no such model was pulled; "
                "'paro pull {0}' downloads it",
                model.string());
  }
  if (!fs::exists(model, error)) {
    throw Error(ErrorKind::not_found, "there is no '{}'; MODEL is a directory with config.json and safetensors files",
                model.string());
  }
  if (!fs::is_directory(model, error)) {
    throw Error(ErrorKind::not_found, "'{}' is no directory; MODEL is one with config.json and safetensors files",
                model.string());
  }
  if (!fs::exists(model / "config.json", error)) {
    throw Error(ErrorKind::not_found, "'{}' holds no config.json; MODEL is a directory in Hugging Face layout",
                model.string());
  }
}

ModelFiles ModelFiles::open(const fs::path& model) {
  std::error_code error;
  if (fs::is_regular_file(model, error)) {
    constexpr int64_t kMaxBytes = 16 << 20;
    return {ModelConfig::parse(read_text_file(model, kMaxBytes), model.string()), {}};
  }
  check_model_directory(model);
  ModelFiles files{ModelConfig::load(model), {}};
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"}) {
    if (!fs::exists(model / name, error)) continue;
    files.tensors.emplace(SafetensorsFiles::open(model));
    break;
  }
  return files;
}

}  // namespace paro::cli
