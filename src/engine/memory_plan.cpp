#include "engine/memory_plan.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "engine/machine_memory.h"
#include "engine/planner.h"

namespace paro {
namespace {

// Defaults are what a desktop user expects; a long context is asked for, never assumed.
constexpr int kDefaultContext = 8192;
constexpr int kFloorContext = 512;
constexpr int kDefaultBatch = 8;
constexpr int kDefaultChunk = 512;
constexpr int kFloorChunk = 32;

// Where experts are streamed, the caches of more sequences would cost experts that each of them waits for. A step reads
// each expert at most once, so that a larger one reads less for each token.
constexpr int kStreamedBatch = 2;
constexpr int kFloorStreamedChunk = 128;
constexpr int kLargestStreamedChunk = 2048;
constexpr int64_t kFewestSlots = 2;  // one that is computed with, one that is fetched

// Embeddings that are worth the threads and the staging that read their rows.
constexpr int64_t kFewestEmbeddingBytes = 16 << 20;

// Left to others when the budget is what the machine has free.
int64_t reserve_bytes(int64_t available) { return std::clamp<int64_t>(available / 20, 64 << 20, 1 << 30); }

void check_prefix_disk(const EngineOptions& options, const Planner& planner) {
  if (!options.prefix_disk) return;
  if (options.prefix_cache_bytes == 0) {
    throw Error(ErrorKind::usage,
                "--prefix-disk keeps what the prefix cache finds, and --prefix-cache 0 turns that off; "
                "leave one of them out");
  }
  const auto& layers = planner.spec().kv_layers;
  if (std::none_of(layers.begin(), layers.end(), [](const auto& layer) { return layer.kind == CacheKind::full; })) {
    throw Error(ErrorKind::usage,
                "--prefix-disk: the model has no layer of full attention, and its prompts cannot be reused; leave the "
                "flag out");
  }
  const int64_t n_bytes = options.prefix_disk->limit_bytes, least = PrefixDisk::file_bytes(planner.block_bytes());
  if (n_bytes >= least) return;
  throw Error(ErrorKind::usage, "--prefix-disk-bytes is {}, expected at least {}, the file of {} tokens of this model",
              n_bytes, least, kPageTokens);
}

void check_given(const EngineOptions& options, const Planner& planner) {
  const auto check = [](const char* flag, int64_t value, int64_t low, int64_t high) {
    if (value == 0 || (value >= low && value <= high)) return;
    throw Error(ErrorKind::usage, "{} is {}, expected {} to {}", flag, value, low, high);
  };
  check("--max-context", options.max_context, 1, planner.spec().max_position_embeddings);
  check("--max-batch", options.max_batch, 1, 1024);
  check("--prefill-chunk", options.prefill_chunk, 1, 65536);
  if (options.max_batch > 0 && options.prefill_chunk > 0 && options.prefill_chunk < options.max_batch) {
    throw Error(ErrorKind::usage, "--prefill-chunk is {}, expected at least --max-batch {}", options.prefill_chunk,
                options.max_batch);
  }
  if (options.expert_slots > 0 && planner.n_experts() == 0) {
    throw Error(ErrorKind::usage, "--expert-slots is {}, but the model has no experts; leave the flag out",
                options.expert_slots);
  }
  check("--expert-slots", options.expert_slots, 1, planner.n_experts());
  const auto check_embeddings = [&](const char* flag, bool is_given) {
    if (!is_given || planner.embedding_bytes() > 0) return;
    throw Error(ErrorKind::usage, "{}: the model has no embedding but its head; leave the flag out, or see --head-type",
                flag);
  };
  check_embeddings("--embedding-source disk", options.embedding_source == EmbeddingSource::disk);
  check_prefix_disk(options, planner);
  check_embeddings("--embedding-type", options.embedding_type.value_or(TableType::as_stored) != TableType::as_stored);
}

// Changes what the options leave open until the plan fits.
class Fitting {
 public:
  Fitting(const Planner& planner, const EngineOptions& options, int64_t budget)
      : planner_(planner), options_(options), budget_(budget) {
    wanted_.max_context = options.max_context > 0 ? options.max_context
                                                  : std::min(kDefaultContext, planner.spec().max_position_embeddings);
    wanted_.max_batch = options.max_batch > 0 ? options.max_batch : kDefaultBatch;
    if (options.prefill_chunk > 0) wanted_.max_batch = std::min(wanted_.max_batch, options.prefill_chunk);
    wanted_.prefill_chunk =
        options.prefill_chunk > 0 ? options.prefill_chunk : std::max(kDefaultChunk, wanted_.max_batch);
    wanted_.reads_rows = options.embedding_source == EmbeddingSource::disk;
    wanted_.n_expert_slots = options.expert_slots > 0 ? options.expert_slots : planner.n_experts();
  }

  const PlanSizes& wanted() const { return wanted_; }
  // The least that the options allow.
  PlanSizes smallest() const {
    PlanSizes s = wanted_;
    if (options_.max_context == 0) s.max_context = std::min(s.max_context, kFloorContext);
    if (options_.max_batch == 0) s.max_batch = 1;
    if (options_.prefill_chunk == 0) s.prefill_chunk = std::max(s.max_batch, kFloorChunk);
    if (options_.expert_slots == 0) s.n_expert_slots = std::min(s.n_expert_slots, kFewestSlots);
    if (may_read_rows()) s.reads_rows = true;
    return s;
  }

  MemoryPlan fit() {
    sizes_ = wanted_;
    replan();
    shrink_steps(kFloorChunk);
    if (!enough() && may_read_rows()) read_rows();
    if (!enough() && options_.expert_slots == 0 && planner_.n_experts() > kFewestSlots) stream_experts();
    shorten_context();
    fewest_slots_ = 0;
    tell_changes();
    return std::move(plan_);
  }

 private:
  bool may_read_rows() const {
    return planner_.embedding_bytes() >= kFewestEmbeddingBytes && !options_.embedding_source;
  }
  bool enough() const { return plan_.report.fits && sizes_.n_expert_slots >= fewest_slots_; }

  void replan() {
    if (streams_) sizes_.n_expert_slots = slots_that_fit();
    plan_ = planner_.plan(sizes_, budget_);
  }

  int64_t slots_that_fit() const {
    PlanSizes s = sizes_;
    s.n_expert_slots = kFewestSlots;
    const int64_t spare = budget_ - planner_.plan(s, budget_).report.plan_bytes;
    s.n_expert_slots = std::clamp(kFewestSlots + spare / planner_.slot_bytes(), kFewestSlots, planner_.n_experts() - 1);
    // Whole pages may be a slot more.
    while (s.n_expert_slots > kFewestSlots && !planner_.plan(s, budget_).report.fits) --s.n_expert_slots;
    return s.n_expert_slots;
  }

  // Fewer sequences, then smaller steps.
  void shrink_steps(int floor_chunk) {
    while (!enough() && options_.max_batch == 0 && sizes_.max_batch > 1) sizes_.max_batch /= 2, replan();
    while (!enough() && options_.prefill_chunk == 0 &&
           sizes_.prefill_chunk / 2 >= std::max(floor_chunk, sizes_.max_batch))
      sizes_.prefill_chunk /= 2, replan();
  }

  // Tables that a token reads a row of give way for what is wanted.
  void read_rows() {
    sizes_ = wanted_;
    sizes_.reads_rows = true;
    replan();
    shrink_steps(kFloorChunk);
  }

  void shorten_context() {
    while (!enough() && options_.max_context == 0 && sizes_.max_context / 2 >= kFloorContext)
      sizes_.max_context /= 2, replan();
  }

  // As many experts in memory as what is wanted leaves room for. Where those are few, sequences and steps give way;
  // where they are hardly enough for two layers of one token, the context does too.
  void stream_experts() {
    const int64_t top_k = planner_.spec().experts_per_token;
    streams_ = true;
    const bool reads_rows = sizes_.reads_rows;
    sizes_ = wanted_;
    sizes_.reads_rows = reads_rows;
    if (options_.max_batch == 0) sizes_.max_batch = std::min(sizes_.max_batch, kStreamedBatch);
    fewest_slots_ = std::max(planner_.n_experts() / 10, 4 * top_k);
    replan();
    shrink_steps(kFloorStreamedChunk);
    if (enough()) return grow_steps();
    fewest_slots_ = std::min(2 * top_k, planner_.n_experts() - 1);
    shrink_steps(kFloorChunk);
  }

  // While that costs few slots.
  void grow_steps() {
    while (options_.prefill_chunk == 0 &&
           2 * sizes_.prefill_chunk <= std::min(kLargestStreamedChunk, sizes_.max_context)) {
      const PlanSizes before = sizes_;
      sizes_.prefill_chunk *= 2;
      replan();
      if (enough() && 10 * sizes_.n_expert_slots >= 9 * before.n_expert_slots) continue;
      sizes_ = before;
      return replan();
    }
  }

  void tell_changes() {
    const auto changed = [&](const char* what, int64_t from, int64_t to) {
      if (from != to) plan_.report.fitting.push_back(fmt::format("{} {} -> {}", what, from, to));
    };
    changed("sequences at once", wanted_.max_batch, sizes_.max_batch);
    changed("rows of a step", wanted_.prefill_chunk, sizes_.prefill_chunk);
    if (sizes_.reads_rows != wanted_.reads_rows) {
      plan_.report.fitting.push_back(
          fmt::format("embedding tables {} -> read from disk", format_bytes(planner_.embedding_bytes())));
    }
    changed("experts in memory", wanted_.n_expert_slots, sizes_.n_expert_slots);
    changed("context", wanted_.max_context, sizes_.max_context);
  }

  const Planner& planner_;
  const EngineOptions& options_;
  const int64_t budget_;
  PlanSizes wanted_, sizes_;
  bool streams_ = false;
  int64_t fewest_slots_ = 0;
  MemoryPlan plan_;
};

// What a person could ask for instead: the smallest sizes, and with them fewer bits for what may change numbers.
std::vector<std::string> suggestions(const EngineOptions& options, const ModelConfig& config,
                                     const SafetensorsFiles* files, Backend& backend, const Planner& planner,
                                     const PlanSizes& smallest, const MemoryReport& refused) {
  std::vector<std::string> out;
  const int64_t budget = refused.budget_bytes;
  const MemoryReport least = planner.plan(smallest, budget).report;
  std::string flags = fmt::format("--max-context {} --max-batch {} --prefill-chunk {}", smallest.max_context,
                                  smallest.max_batch, smallest.prefill_chunk);
  const bool keeps_embeddings =
      planner.embedding_bytes() >= kFewestEmbeddingBytes && options.embedding_source == EmbeddingSource::memory;
  if (keeps_embeddings) flags += " --embedding-source disk";
  if (options.expert_slots > kFewestSlots) flags += fmt::format(" --expert-slots {}", kFewestSlots);
  if (least.fits) {
    out.push_back(fmt::format("{} ({})", flags, format_bytes(least.plan_bytes)));
  } else {
    out.push_back(fmt::format("--memory-budget {}MiB {}", (least.plan_bytes >> 20) + 1, flags));
  }
  if (least.plan_bytes < refused.plan_bytes) {
    out.push_back(fmt::format("--memory-budget {}MiB as it stands", (refused.plan_bytes >> 20) + 1));
  }
  const auto with = [&](const char* flag, auto change) {
    EngineOptions other = options;
    change(other);
    const Planner changed(other, config, files, backend);
    const MemoryReport report = Fitting(changed, other, budget).fit().report;
    if (report.fits) out.push_back(fmt::format("{} ({})", flag, format_bytes(report.plan_bytes)));
  };
  if (options.kv_type.value_or(backend.default_kv_type()) == KvType::f16) {
    with("--kv-type q8", [](EngineOptions& o) { o.kv_type = KvType::q8; });
  }
  if (options.head_type.value_or(backend.default_head_type()) == TableType::as_stored) {
    with("--head-type int8", [](EngineOptions& o) { o.head_type = TableType::int8; });
  }
  if (!keeps_embeddings) return out;
  with("--embedding-source disk", [](EngineOptions& o) { o.embedding_source = EmbeddingSource::disk; });
  if (options.embedding_type.value_or(TableType::as_stored) == TableType::as_stored) {
    with("--embedding-type int8", [](EngineOptions& o) { o.embedding_type = TableType::int8; });
    with("--embedding-type int4", [](EngineOptions& o) { o.embedding_type = TableType::int4; });
  }
  return out;
}

}  // namespace

int64_t memory_budget(const EngineOptions& options) {
  if (options.memory_budget_bytes) return *options.memory_budget_bytes;
  const int64_t available = machine_memory().available_bytes;
  return available - reserve_bytes(available);
}

MemoryPlan plan_memory(const EngineOptions& options, const ModelConfig& config, const SafetensorsFiles* files,
                       Backend& backend) {
  const Planner planner(options, config, files, backend);
  check_given(options, planner);
  const int64_t budget = memory_budget(options);
  Fitting fitting(planner, options, budget);
  MemoryPlan plan = fitting.fit();
  if (!plan.report.fits) {
    PlanSizes smallest = fitting.smallest();
    // A user can also give up what was asked for.
    smallest.max_context = std::min(smallest.max_context, kFloorContext);
    smallest.max_batch = 1;
    smallest.prefill_chunk = std::min(smallest.prefill_chunk, kFloorChunk);
    smallest.n_expert_slots = std::min(smallest.n_expert_slots, kFewestSlots);
    smallest.reads_rows |= planner.embedding_bytes() >= kFewestEmbeddingBytes;
    plan.report.suggestions = suggestions(options, config, files, backend, planner, smallest, plan.report);
  }
  return plan;
}

MemoryBounds memory_bounds(const EngineOptions& options, const ModelConfig& config, const SafetensorsFiles* files,
                           Backend& backend) {
  const Planner planner(options, config, files, backend);
  check_given(options, planner);
  const Fitting fitting(planner, options, 0);
  return {planner.plan(fitting.smallest(), 0).report.plan_bytes, planner.plan(fitting.wanted(), 0).report.plan_bytes};
}

Error plan_refusal(const MemoryReport& report) {
  return Error(ErrorKind::memory, "memory: the plan needs {} ({} bytes) and the budget is {} ({} bytes)\n{}",
               format_bytes(report.plan_bytes), report.plan_bytes, format_bytes(report.budget_bytes),
               report.budget_bytes, format_table(report));
}

}  // namespace paro
