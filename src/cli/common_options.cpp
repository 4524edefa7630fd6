#include "cli/common_options.h"

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/processors.h"
#include "cli/backends.h"
#include "cli/byte_size.h"
#include "cli/json_log.h"
#include "cli/model_location.h"
#include "engine/machine_memory.h"

namespace paro::cli {
namespace {

constexpr const char* kGroup = "Model and memory";

const std::vector<std::pair<std::string, KvType>> kKvTypes = {
    {"f32", KvType::f32}, {"f16", KvType::f16}, {"q8", KvType::q8}};
const std::vector<std::pair<std::string, TableType>> kHeadTypes = {{"int8", TableType::int8},
                                                                   {"f16", TableType::as_stored}};
const std::vector<std::pair<std::string, TableType>> kEmbeddingTypes = {
    {"f16", TableType::as_stored}, {"int8", TableType::int8}, {"int4", TableType::int4}};
const std::vector<std::pair<std::string, EmbeddingSource>> kEmbeddingSources = {{"memory", EmbeddingSource::memory},
                                                                                {"disk", EmbeddingSource::disk}};

template <typename T>
std::vector<std::string> names_of(const std::vector<std::pair<std::string, T>>& values) {
  std::vector<std::string> names;
  for (const auto& [name, value] : values) names.push_back(name);
  return names;
}

// Flags are checked against the names as they are parsed; empty is left open.
template <typename T>
std::optional<T> value_of(const std::vector<std::pair<std::string, T>>& values, const std::string& name) {
  for (const auto& [known, value] : values) {
    if (known == name) return value;
  }
  return {};
}

// Of the file system of a directory that may have to be made yet.
int64_t free_bytes(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::path there = std::filesystem::absolute(directory, error);
  while (!std::filesystem::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  const std::filesystem::space_info space = std::filesystem::space(there, error);
  return error ? 0 : int64_t(space.available);
}

}  // namespace

CLI::Option* add_model(CLI::App& app, std::filesystem::path& model, std::string what) {
  const auto to_directory = [](std::string& text) {
    std::error_code error;
    if (const auto pulled = find_pulled(text); pulled && !std::filesystem::exists(text, error)) text = pulled->string();
    return std::string();
  };
  return app.add_option("MODEL", model, what + ", or ORG/NAME that was pulled")
      ->required()
      ->transform(CLI::Validator(to_directory, ""));
}

void CommonOptions::add_to(CLI::App& app) {
  app.add_option("--memory-budget", memory_budget_,
                 "All memory the program may take: 8GiB, 500MiB, 50%; else what the machine has free")
      ->group(kGroup);
  app.add_option("--max-context", max_context_, "Tokens of one sequence, prompt and answer (default: at most 8192)")
      ->check(CLI::PositiveNumber)
      ->group(kGroup);
  app.add_option("--max-batch", max_batch_, "Sequences at once (default: at most 8)")
      ->check(CLI::PositiveNumber)
      ->group(kGroup);
  app.add_option("--prefill-chunk", prefill_chunk_, "Rows of one step (default: at most 512)")
      ->check(CLI::PositiveNumber)
      ->group(kGroup);
  app.add_option("--expert-slots", expert_slots_,
                 "Experts in memory, over all layers; the others stream from disk (default: as many as fit)")
      ->check(CLI::PositiveNumber)
      ->group(kGroup);
  app.add_option("--kv-type", kv_type_, "How keys and values are held: f32, f16 or q8")
      ->check(CLI::IsMember(names_of(kKvTypes)))
      ->group(kGroup);
  app.add_option("--prefix-cache", prefix_cache_,
                 "Memory for beginnings of prompts beside what sequences need, 0 to keep none (default: what sequences "
                 "leave free)")
      ->group(kGroup);
  CLI::Option* const prefix_disk =
      app.add_option("--prefix-disk", prefix_disk_,
                     "Directory where beginnings of prompts are kept as well, across restarts (default: none)")
          ->group(kGroup);
  app.add_option("--prefix-disk-bytes", prefix_disk_bytes_, "What they may take there: 20GiB, or 50% of what is free")
      ->needs(prefix_disk)
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--head-type", head_type_, "How the output head is held: int8, or f16 for the file's 16 bits")
      ->check(CLI::IsMember(names_of(kHeadTypes)))
      ->group(kGroup);
  app.add_option(
         "--embedding-type", embedding_type_,
         "How embeddings that are not the head are held: f16 for the file's 16 bits, int8 or int4 (default: f16)")
      ->check(CLI::IsMember(names_of(kEmbeddingTypes)))
      ->group(kGroup);
  app.add_option("--embedding-source", embedding_source_,
                 "Where they are: memory, or disk to read the rows that a step needs (default: memory if it fits)")
      ->check(CLI::IsMember(names_of(kEmbeddingSources)))
      ->group(kGroup);
  app.add_option("--threads", threads_, "Threads of the cpu backend (default: the cores at hand)")
      ->check(CLI::Range(1, 1024))
      ->group(kGroup);
  app.add_option("--backend", backend_, "What computes")
      ->check(CLI::IsMember(backend_names()))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--isa", isa_, "Instruction set of the cpu backend (default: the best at hand)")->group(kGroup);
  app.add_option("--log-level", log_level_, "debug, info, warn or error")
      ->check(CLI::IsMember(std::vector<std::string>{"debug", "info", "warn", "error"}))
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--log-format", log_format_, "text, or json for an object a line")
      ->check(CLI::IsMember(std::vector<std::string>{"text", "json"}))
      ->capture_default_str()
      ->group(kGroup);
  app.final_callback([this] {
    log::set_level(log::parse_level(log_level_));
    if (log_format_ == "json") log::set_lines(json_log_line);
  });
}

EngineOptions CommonOptions::engine_options(const std::filesystem::path& model) const {
  EngineOptions options;
  options.model = model;
  if (!memory_budget_.empty()) {
    options.memory_budget_bytes = parse_byte_size("--memory-budget", memory_budget_, machine_memory().available_bytes);
  }
  if (prefix_cache_ == "0") {
    options.prefix_cache_bytes = 0;
  } else if (!prefix_cache_.empty()) {
    options.prefix_cache_bytes = parse_byte_size("--prefix-cache", prefix_cache_, machine_memory().available_bytes);
  }
  if (!prefix_disk_.empty()) {
    options.prefix_disk = {prefix_disk_,
                           parse_byte_size("--prefix-disk-bytes", prefix_disk_bytes_, free_bytes(prefix_disk_))};
  }
  options.max_context = max_context_;
  options.max_batch = max_batch_;
  options.prefill_chunk = prefill_chunk_;
  options.expert_slots = expert_slots_;
  options.max_queue = 1;  // who serves says how many may wait
  options.kv_type = value_of(kKvTypes, kv_type_);
  options.head_type = value_of(kHeadTypes, head_type_);
  options.embedding_type = value_of(kEmbeddingTypes, embedding_type_);
  options.embedding_source = value_of(kEmbeddingSources, embedding_source_);
  return options;
}

int CommonOptions::n_threads() const { return threads_ > 0 ? threads_ : default_threads(); }

std::unique_ptr<Backend> CommonOptions::make_backend() const {
  return cli::make_backend(backend_, {n_threads(), isa_});
}

}  // namespace paro::cli
