#include "engine/planner.h"

#include <algorithm>
#include <string>
#include <vector>

#include "engine/expert_store.h"
#include "engine/pooler.h"
#include "engine/row_store.h"
#include "engine/sampler.h"
#include "engine/weight_loader.h"
#include "tensor/buffer.h"

namespace paro {
namespace {

// Code, libraries, heap and stacks of the program itself, measured; a thread's stack is touched in few pages.
constexpr int64_t kProgramBytes = 16 << 20;
constexpr int64_t kThreadBytes = 256 << 10;

// Names and places of a stored tensor while a model is bound and loaded, measured.
constexpr int64_t kTensorBytes = 400;

bool is_embedding_alone(const WeightLoad& load) {
  const auto* table = std::get_if<TableLoad>(&load.what);
  return table != nullptr && !table->is_head;
}

}  // namespace

Planner::Planner(const EngineOptions& options, const ModelConfig& config, const SafetensorsFiles* files,
                 Backend& backend)
    : options_(options), backend_(backend) {
  plan_.kv_type = options.kv_type.value_or(backend.default_kv_type());
  plan_.head_type = options.head_type.value_or(backend.default_head_type());
  plan_.embedding_type = options.embedding_type.value_or(TableType::as_stored);
  WeightBinder::Options bound{.head_type = plan_.head_type, .embedding_type = plan_.embedding_type};
  WeightBinder binder(backend, config, files, nullptr, bound);
  try {
    model_ = find_architecture(config).make(config, binder);
  } catch (const Error& error) {
    throw error.kind() == ErrorKind::checkpoint ? error.in(options.model.string()) : error;
  }
  plan_.spec = model_->spec();
  plan_.weight_bytes = binder.n_bytes();
  plan_.staging_bytes =
      files != nullptr ? staging_bytes(binder.loads(), backend.n_threads()) : usual_staging_bytes(backend.n_threads());
  n_tensors_ = files != nullptr ? int64_t(files->tensors().size()) : int64_t(binder.wanted().size());
  plan_.sampling_bytes = Sampler::scratch_bytes(plan_.spec.vocab_size);
  for (const ExpertRegion& region : binder.expert_regions()) {
    n_experts_ += region.n_experts;
    resident_expert_bytes_ += region.n_bytes();
  }
  plan_.slot_bytes = ExpertStore::slot_bytes(binder.expert_regions());
  expert_regions_ = binder.expert_regions();
  if (std::any_of(binder.loads().begin(), binder.loads().end(), is_embedding_alone)) {
    bound.read_rows = true;
    WeightBinder reading(backend, config, files, nullptr, bound);
    reading_model_ = find_architecture(config).make(config, reading);
    row_tables_ = reading.row_tables();
    embedding_bytes_ = binder.n_bytes() - reading.n_bytes();
  }
}

MemoryPlan Planner::plan(const PlanSizes& s, int64_t budget_bytes) const {
  MemoryPlan plan = plan_;
  plan.kv.emplace(backend_, plan.spec, plan.kv_type, s.max_context, s.max_batch, s.prefill_chunk,
                  options_.prefix_cache_bytes);
  // Unless rows that may ask for logits are given, each sequence asks for one.
  plan.max_logit_rows = options_.max_logit_rows > 0 ? options_.max_logit_rows : s.max_batch;
  plan.pooling_bytes = Pooler::n_bytes(s.max_batch, plan.spec.hidden_size);
  const int64_t n_prompts = options_.max_queue + s.max_batch;
  int64_t program_bytes = kProgramBytes + n_tensors_ * kTensorBytes +
                          n_prompts * s.max_context * int64_t(sizeof(int32_t)) + plan.kv->bookkeeping_bytes();
  int n_threads = loading_threads(backend_.n_threads());
  if (s.n_expert_slots < n_experts_) {
    plan.n_expert_slots = s.n_expert_slots;
    plan.weight_bytes -= resident_expert_bytes_;
    plan.expert_staging_bytes = ExpertStore::staging_bytes(expert_regions_, s.n_expert_slots);
    program_bytes += ExpertFiles::n_bytes(n_experts_);
    n_threads = std::max(n_threads, backend_.n_threads() + ExpertStore::n_readers(s.n_expert_slots));
  }
  if (options_.prefix_disk) {
    program_bytes += KvCache::disk_memory_bytes(*plan.kv, options_.prefix_disk->limit_bytes);
    ++n_threads;
  }
  if (s.reads_rows) {
    plan.reads_rows = true;
    plan.weight_bytes -= embedding_bytes_;
    plan.row_staging_bytes = RowStore::staging_bytes(row_tables_, s.prefill_chunk);
    n_threads += RowStore::kReaders;
  }

  plan.lanes = lanes(s, plan);
  plan.arena_bytes =
      std::max(step_bytes(s, backend_, s.prefill_chunk, plan.max_logit_rows, true), plan.lanes_arena_bytes());

  MemoryReport& report = plan.report;
  report.max_context = s.max_context;
  report.max_batch = s.max_batch;
  report.prefill_chunk = s.prefill_chunk;
  report.budget_bytes = budget_bytes;
  report.experts.n_experts = n_experts_;
  report.experts.n_slots = std::min(s.n_expert_slots, n_experts_);
  const auto add = [&](const std::string& name, int64_t n_bytes) { report.classes.push_back({name, n_bytes, 0}); };
  add(memory_class::kWeights, Buffer::resident_bytes(plan.weight_bytes));
  if (plan.streams_experts()) {
    add(memory_class::kExpertSlots, Buffer::resident_bytes(plan.expert_slots_bytes()));
    add(memory_class::kExpertStaging, Buffer::resident_bytes(plan.expert_staging_bytes));
  }
  if (plan.reads_rows) add(memory_class::kEmbeddingStaging, Buffer::resident_bytes(plan.row_staging_bytes));
  const int64_t sequences_bytes = Buffer::resident_bytes(plan.kv->n_bytes - plan.kv->prefix_bytes);
  add(memory_class::kKvCache, sequences_bytes);
  if (plan.kv->prefix_bytes > 0) {
    add(memory_class::kPrefixCache, Buffer::resident_bytes(plan.kv->n_bytes) - sequences_bytes);
  }
  add(memory_class::kArena, Buffer::resident_bytes(plan.arena_memory_bytes()));
  add(memory_class::kSampling,
      Buffer::resident_bytes(plan.sampling_bytes) + Buffer::resident_bytes(plan.pooling_bytes));
  for (const MemoryClass& other : options_.other_memory) report.classes.push_back(other);
  add(memory_class::kProgram, program_bytes + n_threads * kThreadBytes);
  for (const MemoryClass& c : report.classes) report.plan_bytes += c.plan_bytes;
  report.fits = report.plan_bytes <= budget_bytes;
  return plan;
}

int64_t Planner::block_bytes() const {
  int64_t sum = 0;
  for (const KvLayerSpec& layer : plan_.spec.kv_layers) {
    sum += backend_.page_bytes({layer.n_kv_heads, layer.head_dim, plan_.kv_type});
  }
  return sum;
}

LanePlan Planner::lanes(const PlanSizes& s, const MemoryPlan& plan) const {
  const int n_lanes = backend_.n_threads();
  if (n_lanes == 1 || s.max_batch < n_lanes || plan.weight_bytes > kMostLaneWeightBytes) return {};
  if (plan.streams_experts() || plan.reads_rows) return {};
  LanePlan lanes{.n_lanes = n_lanes, .max_rows = s.prefill_chunk / n_lanes};
  const int n_logit_rows = std::min(plan.max_logit_rows, lanes.max_rows);
  backend_.run_lanes(1, [&](int, Backend& lane) {
    lanes.arena_bytes = round_up(step_bytes(s, lane, lanes.max_rows, n_logit_rows, false), Buffer::kAlignment);
  });
  return lanes;
}

// Runs the model without memory at the largest step, all of whose hidden states are asked for; no op takes more for
// fewer rows.
int64_t Planner::step_bytes(const PlanSizes& s, Backend& backend, int n_rows, int n_logit_rows,
                            bool holds_logits) const {
  const std::vector<int32_t> rows(static_cast<size_t>(n_rows)), logits(static_cast<size_t>(n_logit_rows));
  const auto batch = [](const std::vector<int32_t>& r) { return Batch{r, r, r, {}}; };
  std::vector<KvLayer> kv;
  for (const KvLayerSpec& layer : plan_.spec.kv_layers) {
    kv.push_back({{layer.n_kv_heads, layer.head_dim, plan_.kv_type}, layer.kind, nullptr});
  }
  Arena arena;
  Ops ops(backend, arena, s.max_context);
  const Model& model = s.reads_rows ? *reading_model_ : *model_;
  Step step{.rows = batch(rows),
            .final_rows = batch(rows),
            .final_indices = rows,
            .n_exact = {},
            .kv = kv,
            .logit_indices = logits};
  if (!holds_logits) step.logits = Tensor{DType::f32, {n_logit_rows, plan_.spec.vocab_size}};
  model.forward(ops, step);
  return arena.peak_bytes();
}

}  // namespace paro
