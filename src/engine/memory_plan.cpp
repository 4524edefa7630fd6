#include "engine/memory_plan.h"

#include <algorithm>
#include <limits>
#include <string>

#include "engine/machine_memory.h"
#include "engine/sampler.h"
#include "engine/weight_loader.h"
#include "tensor/buffer.h"

namespace paro {
namespace {

// Defaults are what a desktop user expects; a long context is asked for, never assumed.
constexpr int kDefaultContext = 8192;
constexpr int kFloorContext = 512;
constexpr int kDefaultBatch = 8;
constexpr int kDefaultChunk = 512;
constexpr int kFloorChunk = 32;

// Code, libraries, heap and stacks of the program itself, measured; a thread's stack is touched in few pages.
constexpr int64_t kProgramBytes = 16 << 20;
constexpr int64_t kThreadBytes = 256 << 10;

// Left to others when the budget is what the machine has free.
int64_t reserve_bytes(int64_t available) { return std::clamp<int64_t>(available / 20, 64 << 20, 1 << 30); }

// Sizes that the fitting may change.
struct Sizes {
  int max_context, max_batch, prefill_chunk, max_logit_rows;
};

class Planner {
 public:
  Planner(const EngineOptions& options, const ModelConfig& config, const SafetensorsFiles* files, Backend& backend)
      : options_(options), backend_(backend) {
    plan_.kv_type = options.kv_type.value_or(backend.default_kv_type());
    plan_.head_type = options.head_type.value_or(backend.default_head_type());
    WeightBinder binder(backend, config, files, nullptr, {plan_.head_type, nullptr});
    try {
      model_ = find_architecture(config).make(config, binder);
    } catch (const Error& error) {
      throw error.kind() == ErrorKind::checkpoint ? error.in(options.model.string()) : error;
    }
    plan_.spec = model_->spec();
    plan_.weight_bytes = binder.n_bytes();
    plan_.staging_bytes = files != nullptr ? staging_bytes(binder.loads(), backend.n_threads())
                                           : usual_staging_bytes(backend.n_threads());
    plan_.sampling_bytes = Sampler::scratch_bytes(plan_.spec.vocab_size);
  }

  const ModelSpec& spec() const { return plan_.spec; }

  MemoryPlan plan(const Sizes& s, int64_t budget_bytes) const {
    MemoryPlan plan = plan_;
    plan.kv.emplace(backend_, plan.spec, plan.kv_type, s.max_context, s.max_batch, s.prefill_chunk);
    plan.max_logit_rows = s.max_logit_rows;
    plan.arena_bytes = arena_bytes(s);
    MemoryReport& report = plan.report;
    report.max_context = s.max_context;
    report.max_batch = s.max_batch;
    report.prefill_chunk = s.prefill_chunk;
    report.budget_bytes = budget_bytes;
    const auto add = [&](const std::string& name, int64_t n_bytes) { report.classes.push_back({name, n_bytes, 0}); };
    add(memory_class::kWeights, Buffer::resident_bytes(plan.weight_bytes));
    add(memory_class::kKvCache, Buffer::resident_bytes(plan.kv->n_bytes));
    add(memory_class::kArena, Buffer::resident_bytes(plan.arena_memory_bytes()));
    add(memory_class::kSampling, Buffer::resident_bytes(plan.sampling_bytes));
    for (const MemoryClass& other : options_.other_memory) report.classes.push_back(other);
    add(memory_class::kProgram, kProgramBytes + loading_threads(backend_.n_threads()) * kThreadBytes);
    for (const MemoryClass& c : report.classes) report.plan_bytes += c.plan_bytes;
    report.fits = report.plan_bytes <= budget_bytes;
    return plan;
  }

 private:
  // Runs the model without memory at the largest step; no op takes more for fewer rows.
  int64_t arena_bytes(const Sizes& s) const {
    const std::vector<int32_t> rows(size_t(s.prefill_chunk)), logits(size_t(s.max_logit_rows));
    const auto batch = [](const std::vector<int32_t>& r) { return Batch{r, r, r, {}}; };
    std::vector<KvLayer> kv;
    for (const KvLayerSpec& layer : plan_.spec.kv_layers) {
      kv.push_back({{layer.n_kv_heads, layer.head_dim, plan_.kv_type}, layer.kind, nullptr});
    }
    Arena arena;
    Ops ops(backend_, arena, s.max_context);
    model_->forward(ops, {batch(rows), batch(logits), logits, {}, kv});
    return arena.peak_bytes();
  }

  const EngineOptions& options_;
  Backend& backend_;
  std::unique_ptr<Model> model_;
  MemoryPlan plan_;
};

void check_given(const EngineOptions& options, const ModelSpec& spec) {
  const auto check = [](const char* flag, int value, int low, int high) {
    if (value == 0 || (value >= low && value <= high)) return;
    throw Error(ErrorKind::usage, "{} is {}, expected {} to {}", flag, value, low, high);
  };
  check("--max-context", options.max_context, 1, spec.max_position_embeddings);
  check("--max-batch", options.max_batch, 1, 1024);
  check("--prefill-chunk", options.prefill_chunk, 1, 65536);
  if (options.max_batch > 0 && options.prefill_chunk > 0 && options.prefill_chunk < options.max_batch) {
    throw Error(ErrorKind::usage, "--prefill-chunk is {}, expected at least --max-batch {}", options.prefill_chunk,
                options.max_batch);
  }
}

}  // namespace

MemoryPlan plan_memory(const EngineOptions& options, const ModelConfig& config, const SafetensorsFiles* files,
                       Backend& backend) {
  const Planner planner(options, config, files, backend);
  check_given(options, planner.spec());

  int64_t budget = 0;
  if (options.memory_budget_bytes) {
    budget = *options.memory_budget_bytes;
  } else {
    const int64_t available = machine_memory().available_bytes;
    budget = available - reserve_bytes(available);
  }

  Sizes s{};
  s.max_context =
      options.max_context > 0 ? options.max_context : std::min(kDefaultContext, planner.spec().max_position_embeddings);
  s.max_batch = options.max_batch > 0 ? options.max_batch : kDefaultBatch;
  if (options.prefill_chunk > 0) s.max_batch = std::min(s.max_batch, options.prefill_chunk);
  s.prefill_chunk = options.prefill_chunk > 0 ? options.prefill_chunk : std::max(kDefaultChunk, s.max_batch);
  // Unless rows that may ask for logits are given, each sequence asks for one.
  const auto with_logit_rows = [&](Sizes sizes) {
    sizes.max_logit_rows = options.max_logit_rows > 0 ? options.max_logit_rows : sizes.max_batch;
    return sizes;
  };
  const auto at = [&](const Sizes& sizes) { return planner.plan(with_logit_rows(sizes), budget); };

  const Sizes wanted = s;
  MemoryPlan plan = at(s);
  while (!plan.report.fits && options.max_batch == 0 && s.max_batch > 1) s.max_batch /= 2, plan = at(s);
  while (!plan.report.fits && options.prefill_chunk == 0 && s.prefill_chunk / 2 >= std::max(kFloorChunk, s.max_batch))
    s.prefill_chunk /= 2, plan = at(s);
  while (!plan.report.fits && options.max_context == 0 && s.max_context / 2 >= kFloorContext)
    s.max_context /= 2, plan = at(s);

  const auto changed = [&](const char* what, int from, int to) {
    if (from != to) plan.report.fitting.push_back(fmt::format("{} {} -> {}", what, from, to));
  };
  changed("sequences at once", wanted.max_batch, s.max_batch);
  changed("rows of a step", wanted.prefill_chunk, s.prefill_chunk);
  changed("context", wanted.max_context, s.max_context);
  if (plan.report.fits) return plan;

  // What a person could ask for instead: the smallest sizes, and with them fewer bits for what may change numbers.
  const Sizes smallest{std::min(s.max_context, kFloorContext), 1, std::min(s.prefill_chunk, kFloorChunk), 0};
  std::vector<std::string>& suggestions = plan.report.suggestions;
  const MemoryPlan least = at(smallest);
  const std::string flags = fmt::format("--max-context {} --max-batch {} --prefill-chunk {}", smallest.max_context,
                                        smallest.max_batch, smallest.prefill_chunk);
  if (least.report.fits) {
    suggestions.push_back(fmt::format("{} ({})", flags, format_bytes(least.report.plan_bytes)));
  } else {
    suggestions.push_back(fmt::format("--memory-budget {}MiB {}", (least.report.plan_bytes >> 20) + 1, flags));
  }
  if (least.report.plan_bytes < plan.report.plan_bytes) {
    suggestions.push_back(fmt::format("--memory-budget {}MiB as it stands", (plan.report.plan_bytes >> 20) + 1));
  }
  const auto with = [&](const char* flag, auto change) {
    EngineOptions other = options;
    change(other);
    const MemoryPlan changed_plan = Planner(other, config, files, backend).plan(with_logit_rows(s), budget);
    if (changed_plan.report.fits) {
      suggestions.push_back(fmt::format("{} ({})", flag, format_bytes(changed_plan.report.plan_bytes)));
    }
  };
  if (plan.kv_type == KvType::f16) with("--kv-type q8", [](EngineOptions& o) { o.kv_type = KvType::q8; });
  if (plan.head_type == TableType::as_stored) {
    with("--head-type int8", [](EngineOptions& o) { o.head_type = TableType::int8; });
  }
  return plan;
}

Error plan_refusal(const MemoryReport& report) {
  return Error(ErrorKind::memory, "memory: the plan needs {} and the budget is {}\n{}", format_bytes(report.plan_bytes),
               format_bytes(report.budget_bytes), format_table(report));
}

}  // namespace paro
