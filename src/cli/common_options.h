// The flags that every command with a model shares, and what they make: engine options and a backend.
#pragma once

#include <CLI/App.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "engine/options.h"
#include "ops/backend.h"

namespace paro::cli {

class CommonOptions {
 public:
  void add_to(CLI::App& app);  // what they say of the log holds once they are parsed

  // Throws Error{usage} for a value that means nothing.
  EngineOptions engine_options(const std::filesystem::path& model) const;
  std::unique_ptr<Backend> make_backend() const;
  int n_threads() const;  // that compute
  bool is_cpu() const { return backend_ == "cpu"; }
  const std::string& isa() const { return isa_; }

 private:
  std::string memory_budget_, prefix_cache_, prefix_disk_bytes_ = "8GiB", kv_type_, head_type_, backend_ = "cpu", isa_,
                                             log_level_ = "info", log_format_ = "text";
  std::string embedding_type_, embedding_source_;
  std::filesystem::path prefix_disk_;
  int max_context_ = 0, max_batch_ = 0, prefill_chunk_ = 0, threads_ = 0;
  int64_t expert_slots_ = 0;
};

// The positional MODEL: what it may be, but for ORG/NAME that was pulled, which becomes its directory.
CLI::Option* add_model(CLI::App& app, std::filesystem::path& model,
                       std::string what = "Directory in Hugging Face layout");

}  // namespace paro::cli
