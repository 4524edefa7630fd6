#include "engine/model_runner.h"

#include <chrono>
#include <functional>
#include <utility>

#include "base/check.h"
#include "engine/prefix_fingerprint.h"
#include "engine/weight_loader.h"

namespace paro {
namespace {

// For stores that read as long as the model runs.
std::vector<File> opened_again(const SafetensorsFiles& files) {
  std::vector<File> own;
  for (const File& file : files.files()) own.emplace_back(file.path());
  return own;
}

}  // namespace

ModelRunner::ModelRunner(const EngineOptions& options, std::unique_ptr<Backend> backend, const LoadProgress& progress)
    : backend_(std::move(backend)), config_(ModelConfig::load(options.model)) {
  const SafetensorsFiles files = SafetensorsFiles::open(options.model);
  const MemoryPlan plan = plan_memory(options, config_, &files, *backend_);
  if (!plan.report.fits) throw plan_refusal(plan.report);
  ledger_ = std::make_unique<Ledger>(plan.report);
  stored_bytes_ = files.n_bytes();

  std::optional<PrefixDirectory> stored_prefixes;  // before anything is loaded: it may be in use
  if (options.prefix_disk) {
    stored_prefixes.emplace(options.prefix_disk->directory, prefix_fingerprint(options, files, plan, *backend_));
  }

  const auto start = std::chrono::steady_clock::now();
  if (plan.streams_experts()) open_expert_store(plan, files);
  load(plan, files, progress);
  load_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  cache_ = std::make_unique<KvCache>(*backend_, model_->spec(), plan.kv_type, *plan.kv,
                                     ledger_->take(memory_class::kKvCache, plan.kv->n_bytes - plan.kv->prefix_bytes,
                                                   memory_class::kPrefixCache, plan.kv->prefix_bytes));
  if (stored_prefixes) cache_->keep_on_disk(std::move(*stored_prefixes), options.prefix_disk->limit_bytes);
  sampling_scratch_ = ledger_->take(memory_class::kSampling, plan.sampling_bytes);
  pooler_ = std::make_unique<Pooler>(ledger_->take(memory_class::kSampling, plan.pooling_bytes), plan.report.max_batch,
                                     plan.spec.hidden_size);
  max_logit_rows_ = plan.max_logit_rows;
  slot_bytes_ = plan.slot_bytes;
  max_lane_rows_ = plan.lanes.max_rows;
  for (int i = 0; i < plan.lanes.n_lanes; ++i) {
    // The inputs of the first lane are those of whole steps too.
    lanes_.push_back({.inputs{i == 0 ? plan.report.prefill_chunk : plan.lanes.max_rows, max_logit_rows_}});
    if (plan.lanes.n_lanes == 1) break;
    const int64_t begin = plan.logits_bytes() + i * plan.lanes.arena_bytes;
    lanes_.back().arena_memory = arena_memory_.subspan(size_t(begin), size_t(plan.lanes.arena_bytes));
  }
  lane_rows_.resize(lanes_.size());
}

// The model is bound for what its experts are read from alone: when it is bound to be run, the store is there.
void ModelRunner::open_expert_store(const MemoryPlan& plan, const SafetensorsFiles& files) {
  WeightBinder binder(*backend_, config_, &files, nullptr, {.stream_experts = true});
  find_architecture(config_).make(config_, binder);
  expert_store_ =
      std::make_unique<ExpertStore>(binder.expert_regions(), opened_again(files), *backend_, int(plan.n_expert_slots),
                                    ledger_->take(memory_class::kExpertSlots, plan.expert_slots_bytes()),
                                    ledger_->take(memory_class::kExpertStaging, plan.expert_staging_bytes));
}

void ModelRunner::load(const MemoryPlan& plan, const SafetensorsFiles& files, const LoadProgress& progress) {
  const auto weights = ledger_->take(memory_class::kWeights, plan.weight_bytes, Buffer::Pages::untouched);
  WeightBinder::Options options{
      .head_type = plan.head_type, .experts = &resident_experts_, .embedding_type = plan.embedding_type};
  if (expert_store_) {
    options.experts = expert_store_.get();
    options.stream_experts = true;
  }
  if (plan.reads_rows) {
    row_store_ = std::make_unique<RowStore>(opened_again(files),
                                            ledger_->take(memory_class::kEmbeddingStaging, plan.row_staging_bytes),
                                            plan.report.prefill_chunk);
    options.read_rows = true;
    options.rows = row_store_.get();
  }
  WeightBinder binder(*backend_, config_, &files, weights.data(), options);
  model_ = find_architecture(config_).make(config_, binder);
  PARO_CHECK(binder.n_bytes() == plan.weight_bytes, "{} bytes bound, {} planned", binder.n_bytes(), plan.weight_bytes);
  if (row_store_) row_store_->set(binder.row_tables());
  if (!expert_store_) resident_experts_.set(binder.expert_regions(), weights.data());
  // Stored bytes pass through the memory that steps will use.
  arena_memory_ = ledger_->take(memory_class::kArena, plan.arena_memory_bytes());
  load_weights(binder.loads(), files, *backend_, weights, arena_memory_, progress);
}

Tensor ModelRunner::run(std::span<const StepRow> rows, const HiddenObserver* observer) {
  PARO_CHECK(!rows.empty() && int(rows.size()) <= report().prefill_chunk, "{} rows", rows.size());
  if (lanes_.size() > 1 && observer == nullptr && cut_into_lanes(rows, max_lane_rows_, lane_rows_)) return run_lanes();
  StepInputs& inputs = lanes_.front().inputs;
  inputs.set(rows);
  PARO_CHECK(inputs.n_logit_rows() <= max_logit_rows_, "{} rows want logits", inputs.n_logit_rows());
  Arena arena(arena_memory_);
  Ops ops(*backend_, arena, report().max_context);
  Step step = inputs.step(cache_->tables(), cache_->layers());
  step.observer = observer;
  return model_->forward(ops, step);
}

// The logits of all lanes lie in front of their arenas.
Tensor ModelRunner::run_lanes() {
  int n_logit_rows = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    lanes_[i].inputs.set(lane_rows_[i]);
    lanes_[i].first_logit_row = std::exchange(n_logit_rows, n_logit_rows + lanes_[i].inputs.n_logit_rows());
  }
  PARO_CHECK(n_logit_rows <= max_logit_rows_, "{} rows want logits", n_logit_rows);
  const Tensor logits{DType::f32, {n_logit_rows, spec().vocab_size}, arena_memory_.data()};
  const auto run_lane = [&](int i, Backend& backend) {
    const Lane& lane = lanes_[size_t(i)];
    Arena arena(lane.arena_memory);
    Ops ops(backend, arena, report().max_context);
    Step step = lane.inputs.step(cache_->tables(), cache_->layers());
    step.logits = logits.rows(lane.first_logit_row, lane.inputs.n_logit_rows());
    model_->forward(ops, step);
  };
  backend_->run_lanes(int(lanes_.size()), std::ref(run_lane));
  return logits;
}

}  // namespace paro
