// One model at given sizes: what each class of memory comes to. Weights are counted by binding the model without
// memory, the step's arena by running it without memory at the largest step.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "checkpoint/config.h"
#include "checkpoint/safetensors.h"
#include "engine/memory_plan.h"
#include "engine/options.h"
#include "models/model.h"
#include "ops/backend.h"

namespace paro {

// What the fitting may change.
struct PlanSizes {
  int max_context = 0;
  int max_batch = 0;
  int prefill_chunk = 0;
  int64_t n_expert_slots = 0;  // as many as there are experts: all are resident
  bool reads_rows = false;     // of embeddings that are no head

  friend bool operator==(const PlanSizes&, const PlanSizes&) = default;
};

class Planner {
 public:
  // `files` null plans from the config alone. Throws Error{config} or Error{checkpoint}.
  Planner(const EngineOptions& options, const ModelConfig& config, const SafetensorsFiles* files, Backend& backend);

  const ModelSpec& spec() const { return plan_.spec; }
  int64_t n_experts() const { return n_experts_; }  // of all layers; 0: a dense model
  int64_t slot_bytes() const { return plan_.slot_bytes; }
  int64_t block_bytes() const;                                  // of keys and values of kPageTokens tokens
  int64_t embedding_bytes() const { return embedding_bytes_; }  // of tables whose rows may be read instead

  MemoryPlan plan(const PlanSizes& sizes, int64_t budget_bytes) const;

 private:
  LanePlan lanes(const PlanSizes& sizes, const MemoryPlan& plan) const;
  int64_t step_bytes(const PlanSizes& sizes, Backend& backend, int n_rows, int n_logit_rows, bool holds_logits) const;

  const EngineOptions& options_;
  Backend& backend_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Model> reading_model_;  // null where no table is an embedding alone
  MemoryPlan plan_;                       // what is the same at all sizes
  int64_t n_tensors_ = 0;                 // stored
  int64_t n_experts_ = 0;
  int64_t resident_expert_bytes_ = 0;
  std::vector<ExpertRegion> expert_regions_;
  std::vector<RowTable> row_tables_;  // of the reading model
  int64_t embedding_bytes_ = 0;
};

}  // namespace paro
