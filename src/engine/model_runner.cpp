#include "engine/model_runner.h"

#include <algorithm>
#include <chrono>

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

void ModelRunner::Rows::reserve(size_t n) {
  for (auto* v : {&tokens, &positions, &sequences}) v->reserve(n);
}

void ModelRunner::Rows::clear() {
  for (auto* v : {&tokens, &positions, &sequences}) v->clear();
}

void ModelRunner::Rows::push(const StepRow& row) {
  tokens.push_back(row.token);
  positions.push_back(row.position);
  sequences.push_back(row.slot);
}

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
  rows_.reserve(size_t(plan.report.prefill_chunk));
  final_rows_.reserve(size_t(plan.report.prefill_chunk));
  final_indices_.reserve(size_t(plan.report.prefill_chunk));
  logit_indices_.reserve(size_t(max_logit_rows_));
  n_exact_.reserve(size_t(max_logit_rows_));
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
  rows_.clear();
  final_rows_.clear();
  final_indices_.clear();
  logit_indices_.clear();
  n_exact_.clear();
  for (size_t i = 0; i < rows.size(); ++i) {
    rows_.push(rows[i]);
    if (!rows[i].wants_logits && !rows[i].wants_hidden) continue;
    if (rows[i].wants_logits) {
      logit_indices_.push_back(int32_t(final_indices_.size()));
      n_exact_.push_back(rows[i].n_exact);
    }
    final_rows_.push(rows[i]);
    final_indices_.push_back(int32_t(i));
  }
  PARO_CHECK(int(logit_indices_.size()) <= max_logit_rows_, "{} rows want logits", logit_indices_.size());
  const auto tables = cache_->tables();
  Arena arena(arena_memory_);
  Ops ops(*backend_, arena, report().max_context);
  Step step{.rows = rows_.batch(tables),
            .final_rows = final_rows_.batch(tables),
            .final_indices = final_indices_,
            .n_exact = n_exact_,
            .kv = cache_->layers(),
            .observer = observer};
  if (logit_indices_.size() < final_indices_.size()) step.logit_indices = logit_indices_;
  return model_->forward(ops, step);
}

}  // namespace paro
