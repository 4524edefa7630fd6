#include "cli/model_location.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "hub/repository.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSnapshots = "snapshots";
constexpr std::string_view kCachedModel = "models--";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

fs::path home() { return variable("HOME"); }

fs::path cache_directory() {
  const std::string given = variable("HF_HUB_CACHE");
  return given.empty() ? hugging_face_home() / "hub" : fs::path(given);
}

bool is_model(const fs::path& directory) {
  std::error_code error;
  return fs::exists(directory / "config.json", error);
}

// The snapshot of `main` that the cache holds.
std::optional<fs::path> find_cached(std::string repository) {
  repository.replace(repository.find('/'), 1, "--");
  const fs::path directory = cache_directory() / (std::string(kCachedModel) + repository);
  try {
    const std::string commit = read_text_file(directory / "refs" / "main", 100);
    const fs::path snapshot = directory / kSnapshots / commit.substr(0, commit.find_last_not_of(" \r\n") + 1);
    if (is_model(snapshot)) return snapshot;
  } catch (const Error&) {  // it is not there
  }
  return {};
}

}  // namespace

fs::path hugging_face_home() {
  if (const std::string given = variable("HF_HOME"); !given.empty()) return given;
  const std::string xdg = variable("XDG_CACHE_HOME");
  return (xdg.empty() ? home() / ".cache" : fs::path(xdg)) / "huggingface";
}

fs::path default_models_directory() {
  if (const std::string given = variable("PARO_MODELS_DIR"); !given.empty()) return given;
  const std::string xdg = variable("XDG_DATA_HOME");
  return (xdg.empty() ? home() / ".local" / "share" : fs::path(xdg)) / "paro" / "models";
}

std::optional<fs::path> find_pulled(const std::string& model) {
  if (!hub::is_repository_name(model)) return {};
  const fs::path pulled = default_models_directory() / model;
  return is_model(pulled) ? pulled : find_cached(model);
}

std::vector<FoundModel> models_in(const fs::path& directory) {
  std::vector<FoundModel> found;
  std::error_code error;
  const auto each_in = [&](const fs::path& folder, auto&& take) {
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) take(it->path());
  };
  each_in(directory, [&](const fs::path& path) {
    if (is_model(path)) return found.push_back({path.filename().string(), path});
    if (!fs::is_directory(path)) return;
    each_in(path, [&](const fs::path& inner) {
      if (is_model(inner)) found.push_back({(path.filename() / inner.filename()).string(), inner});
    });
    error.clear();  // a folder that cannot be read holds no models
  });
  if (error)
    throw Error(ErrorKind::not_found, "--models-dir: cannot read '{}': {}", directory.string(), error.message());
  if (found.empty()) {
    throw Error(ErrorKind::not_found, "--models-dir: '{}' holds no model, expected folders with a config.json",
                directory.string());
  }
  std::ranges::sort(found, {}, &FoundModel::id);
  return found;
}

std::string model_name(const fs::path& model) {
  fs::path path = fs::weakly_canonical(model);
  if (!path.has_filename()) path = path.parent_path();
  const std::string repository = path.parent_path().parent_path().filename().string();
  if (path.parent_path().filename() == kSnapshots && repository.starts_with(kCachedModel)) {
    const size_t slash = repository.find("--", kCachedModel.size());
    if (slash != repository.npos) return repository.substr(slash + 2);
  }
  return path.filename().string();
}

}  // namespace paro::cli
