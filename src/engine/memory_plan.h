// The plan: every byte that a model will take, known before the first is loaded, and how a plan is made to fit a
// budget.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "base/error.h"
#include "checkpoint/config.h"
#include "checkpoint/safetensors.h"
#include "engine/kv_cache.h"
#include "engine/memory_report.h"
#include "engine/options.h"
#include "engine/step_lanes.h"
#include "models/model.h"
#include "ops/backend.h"

namespace paro {

namespace memory_class {
constexpr const char* kWeights = "weights";
constexpr const char* kExpertSlots = "expert slots";
constexpr const char* kExpertStaging = "expert staging";
constexpr const char* kEmbeddingStaging = "embedding staging";
constexpr const char* kKvCache = "kv cache";
constexpr const char* kPrefixCache = "prefix cache";
constexpr const char* kArena = "step arena";
constexpr const char* kSampling = "sampling";
constexpr const char* kProgram = "program and libraries";
}  // namespace memory_class

struct MemoryPlan {
  MemoryReport report;
  KvType kv_type = KvType::f16;
  TableType head_type = TableType::int8;
  TableType embedding_type = TableType::as_stored;
  int max_logit_rows = 0;
  std::optional<KvLayout> kv;
  int64_t weight_bytes = 0;  // without experts that are streamed and embeddings whose rows are read
  LanePlan lanes;
  int64_t arena_bytes = 0;    // of a step, whole or in lanes
  int64_t staging_bytes = 0;  // of all loading threads, in the arena's memory before there is a step
  int64_t sampling_bytes = 0;
  int64_t pooling_bytes = 0;
  int64_t slot_bytes = 0;            // of one expert; 0: a dense model
  int64_t n_expert_slots = 0;        // 0: no expert is streamed
  int64_t expert_staging_bytes = 0;  // of all threads that stream
  bool reads_rows = false;           // of embeddings that are no head
  int64_t row_staging_bytes = 0;
  ModelSpec spec;

  bool streams_experts() const { return n_expert_slots > 0; }
  int64_t expert_slots_bytes() const { return n_expert_slots * slot_bytes; }
  // Logits of all lanes first.
  int64_t lanes_arena_bytes() const {
    if (lanes.n_lanes == 1) return 0;
    return logits_bytes() + lanes.n_lanes * lanes.arena_bytes;
  }
  int64_t logits_bytes() const {
    return round_up(int64_t(max_logit_rows) * spec.vocab_size * int64_t(sizeof(float)), Buffer::kAlignment);
  }
  int64_t arena_memory_bytes() const { return std::max(arena_bytes, staging_bytes); }
};

// What all of the program may take: as the options say, else what the machine has free, less a reserve.
int64_t memory_budget(const EngineOptions& options);

// Plans `options.model` on `backend`; `files` null plans from the config alone. What options leave open is fitted to
// the budget, as docs/memory.md says: fewer sequences, then smaller steps, then embeddings read from disk, then
// streamed experts, then a shorter context. A plan that does not fit all the same comes back with fits = false and
// suggestions.
MemoryPlan plan_memory(const EngineOptions& options, const ModelConfig& config, const SafetensorsFiles* files,
                       Backend& backend);

// Between these budgets experts are streamed: the least that the model runs in, and what holds all of it at the sizes
// that it runs at unless told otherwise.
struct MemoryBounds {
  int64_t smallest_bytes = 0;
  int64_t all_resident_bytes = 0;
};
MemoryBounds memory_bounds(const EngineOptions& options, const ModelConfig& config, const SafetensorsFiles* files,
                           Backend& backend);

// Error{memory} with the table and what would fit.
Error plan_refusal(const MemoryReport& report);

}  // namespace paro
