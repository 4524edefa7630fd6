// paro pull: downloads a model from a hub. Then every command takes its name in place of a directory.
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/model_location.h"
#include "cli/output.h"
#include "engine/memory_report.h"
#include "hub/pull.h"
#include "hub/repository.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxTokenBytes = 4 << 10;

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

// HF_TOKEN, or what Hugging Face's own program left where it keeps it.
std::string hub_token() {
  if (const std::string token = variable("HF_TOKEN", ""); !token.empty()) return token;
  const fs::path file = variable("HF_TOKEN_PATH", (hugging_face_home() / "token").c_str());
  std::error_code error;
  if (!fs::exists(file, error)) return "";
  std::string token = read_text_file(file, kMaxTokenBytes);
  token.erase(token.find_last_not_of(" \r\n") + 1);
  return token;
}

class Pull final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    app.add_option("MODEL", options_.repository, "ORG/NAME, as the hub has it")->required();
    app.add_option("--revision", options_.revision, "Branch, tag or commit")->capture_default_str();
    app.add_option("--models-dir", models_directory_, "Directory in which ORG/NAME is made")->capture_default_str();
    app.add_option("--hub-endpoint", options_.endpoint, "URL of the hub; HF_ENDPOINT names another one")
        ->capture_default_str();
    app.add_option("--parallel", options_.n_parallel, "Files at a time")
        ->check(CLI::Range(1, 32))
        ->capture_default_str();
  }

  int run() override {
    if (!hub::is_repository_name(options_.repository)) {
      throw Error(ErrorKind::usage, "MODEL is '{}', expected ORG/NAME as the hub has it", options_.repository);
    }
    if (!options_.endpoint.starts_with("http://") && !options_.endpoint.starts_with("https://")) {
      throw Error(ErrorKind::usage, "--hub-endpoint is '{}', expected a URL that begins with https:// or http://",
                  options_.endpoint);
    }
    options_.token = hub_token();
    options_.into = models_directory_ / options_.repository;
    options_.progress = progress_bar("pulling");
    const hub::Pulled pulled = hub::pull(options_);
    print(fmt::format("{} {} at {}: {} files, {}\n", options_.into.string(),
                      pulled.was_there ? "was there already," : "pulled", pulled.commit, pulled.n_files,
                      format_bytes(pulled.n_bytes)));
    return 0;
  }

 private:
  hub::PullOptions options_{.endpoint = variable("HF_ENDPOINT", "https://huggingface.co")};
  fs::path models_directory_ = default_models_directory();
};

}  // namespace

std::unique_ptr<Command> make_pull() { return std::make_unique<Pull>(); }

}  // namespace paro::cli
