// A model loaded inside its plan, and the steps that it runs: rows in, logits out. Owns all large memory. One thread
// uses it at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/expert_store.h"
#include "engine/kv_cache.h"
#include "engine/ledger.h"
#include "engine/memory_plan.h"
#include "engine/options.h"
#include "engine/pooler.h"
#include "engine/resident_experts.h"
#include "engine/row_store.h"
#include "engine/step_inputs.h"

namespace paro {

class ModelRunner {
 public:
  // Plans, takes the memory, loads. Throws Error: config, checkpoint, io, memory.
  ModelRunner(const EngineOptions& options, std::unique_ptr<Backend> backend, const LoadProgress& progress = {});

  // Runs a step of at most report().prefill_chunk rows; its positions have been given pages by cache().extend. Logits
  // f32 [rows that want them, vocab_size] hold until the next step.
  Tensor run(std::span<const StepRow> rows, const HiddenObserver* observer = nullptr);

  KvCache& cache() { return *cache_; }
  const KvCache& cache() const { return *cache_; }
  const ModelSpec& spec() const { return model_->spec(); }
  const ModelConfig& config() const { return config_; }
  const Backend& backend() const { return *backend_; }
  const MemoryReport& report() const { return ledger_->report(); }
  int64_t slot_bytes() const { return slot_bytes_; }  // of one packed expert; 0: a dense model
  ExpertStats expert_stats() const { return expert_store_ ? expert_store_->stats() : report().experts; }
  int n_lanes() const { return int(lanes_.size()); }  // that a step of several sequences may be cut into
  int max_logit_rows() const { return max_logit_rows_; }
  std::span<std::byte> sampling_scratch() const { return sampling_scratch_; }
  Pooler& pooler() { return *pooler_; }

  // Stored bytes of weights, and how long reading and packing them took.
  int64_t stored_bytes() const { return stored_bytes_; }
  double load_seconds() const { return load_seconds_; }

 private:
  struct Lane {
    StepInputs inputs;
    std::span<std::byte> arena_memory = {};
    int first_logit_row = 0;
  };

  void open_expert_store(const MemoryPlan& plan, const SafetensorsFiles& files);
  void load(const MemoryPlan& plan, const SafetensorsFiles& files, const LoadProgress& progress);
  Tensor run_lanes();

  std::unique_ptr<Backend> backend_;
  ModelConfig config_;
  std::unique_ptr<Ledger> ledger_;
  ResidentExperts resident_experts_;
  std::unique_ptr<ExpertStore> expert_store_;  // none where all are resident
  std::unique_ptr<RowStore> row_store_;        // none where all tables are in memory
  std::unique_ptr<Model> model_;
  std::unique_ptr<KvCache> cache_;
  std::span<std::byte> arena_memory_;
  std::span<std::byte> sampling_scratch_;
  std::unique_ptr<Pooler> pooler_;
  int max_logit_rows_ = 0;
  int64_t slot_bytes_ = 0;
  int64_t stored_bytes_ = 0;
  double load_seconds_ = 0;

  std::vector<Lane> lanes_;  // [n_lanes]
  std::vector<std::span<const StepRow>> lane_rows_;
  int max_lane_rows_ = 0;
};

}  // namespace paro
