#include "engine/batch_engine.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "engine/generation_defaults.h"
#include "engine/request_queue.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/step_pace.h"

namespace paro {
namespace {

using Clock = Sequence::Clock;

double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

class BatchEngine final : public Engine {
 public:
  BatchEngine(const EngineOptions& options, std::unique_ptr<Backend> backend, const LoadProgress& progress);
  ~BatchEngine() override { stop(std::chrono::milliseconds(0)); }

  const ModelInfo& info() const override { return info_; }
  MemoryReport memory() const override {
    MemoryReport report = runner_.report();
    report.experts = runner_.expert_stats();
    return report;
  }
  EngineStatus status() const override {
    const std::lock_guard lock(sequences_mutex_);
    EngineStatus status{queue_.n_active(), queue_.n_waiting(), prefix_};
    if (const PrefixDisk* disk = runner_.cache().disk()) {
      status.prefix.n_disk_bytes = disk->n_bytes();
      status.prefix.disk_limit_bytes = disk->limit_bytes();
    }
    return status;
  }
  std::vector<SequenceStatus> sequences() const override {
    const std::lock_guard lock(sequences_mutex_);
    return sequences_;
  }
  GenerationId submit(GenerationRequest request, std::shared_ptr<GenerationListener> listener) override;
  void cancel(GenerationId id) override { queue_.cancel(id); }
  void stop(std::chrono::milliseconds grace) override;

 private:
  using SequencePtr = RequestQueue::SequencePtr;

  void check(const GenerationRequest& request) const;
  void run();
  void admit();
  void drop_cancelled();
  void step();
  void step_apart(const Error& error);
  void advance(std::span<const StepRow> rows, std::span<Sequence* const> sequences, const Tensor& logits);
  void tell_sequences();
  Tensor run_rows(std::span<const StepRow> rows);
  void pool(std::span<const StepRow> rows, const Tensor& hidden);
  void take_token(Sequence& sequence, std::span<float> logits);
  void end_pooled(Sequence& sequence);
  void end_active(Sequence& sequence, GenerationEnd end);
  void finish(Sequence& sequence, GenerationEnd end);
  void count_prefix(const Sequence& sequence);
  void fail_batch(const Error& error);

  const GenerationDefaults defaults_;  // read before anything is loaded
  ModelRunner runner_;
  ModelInfo info_;
  RequestQueue queue_;

  mutable std::mutex sequences_mutex_;  // guards sequences_, prefix_
  std::vector<SequenceStatus> sequences_;
  PrefixStats prefix_;

  // The inference thread's own.
  std::list<SequencePtr> active_;
  Scheduler scheduler_;
  StepPace pace_;
  std::vector<Sequence*> want_token_;  // of the rows that ran last, those whose logits were asked for
  std::mutex join_mutex_;              // stop() may be called by several threads
  std::thread thread_;
};

BatchEngine::BatchEngine(const EngineOptions& options, std::unique_ptr<Backend> backend, const LoadProgress& progress)
    : defaults_(read_generation_defaults(options.model, ModelConfig::load(options.model))),
      runner_(options, std::move(backend), progress),
      queue_(options.max_queue),
      scheduler_(runner_.report().prefill_chunk, runner_.report().max_batch, runner_.n_lanes()) {
  info_ = {.architecture = runner_.config().model_type,
           .backend = runner_.backend().name(),
           .vocab_size = runner_.spec().vocab_size,
           .hidden_size = runner_.spec().hidden_size,
           .max_context = runner_.report().max_context,
           .max_batch = runner_.report().max_batch,
           .stop_tokens = defaults_.stop_tokens,
           .default_sampling = defaults_.sampling};
  want_token_.reserve(size_t(info_.max_batch));
  sequences_.reserve(size_t(info_.max_batch));
  thread_ = std::thread([this] { run(); });
}

void BatchEngine::check(const GenerationRequest& request) const {
  const int n_prompt = int(request.prompt.size());
  const bool is_pooled = request.pooling != Pooling::none;
  if (n_prompt == 0) throw Error(ErrorKind::request, "the prompt has no tokens, expected at least one");
  for (const int32_t id : request.prompt) {
    if (id >= 0 && id < info_.vocab_size) continue;
    throw Error(ErrorKind::request, "the prompt holds token {}, expected 0 to {}", id, info_.vocab_size - 1);
  }
  if (is_pooled && n_prompt > info_.max_context) {
    throw Error(
        ErrorKind::context_length,
        "this model's maximum context length is {} tokens, the input has {}; shorten it, or start the server with "
        "a larger --max-context",
        info_.max_context, n_prompt);
  }
  if (is_pooled) return;
  if (n_prompt >= info_.max_context) {
    throw Error(ErrorKind::context_length,
                "this model's maximum context length is {} tokens, the prompt has {} and leaves no room for an answer; "
                "shorten it, or start the server with a larger --max-context",
                info_.max_context, n_prompt);
  }
  const int left = info_.max_context - n_prompt;
  if (request.max_tokens < 1) {
    throw Error(ErrorKind::request, "max_tokens is {}, expected at least 1", request.max_tokens);
  }
  if (request.max_tokens > left) {
    throw Error(ErrorKind::context_length,
                "this model's maximum context length is {} tokens: max_tokens {} exceeds the {} that a prompt of {} "
                "tokens leaves",
                info_.max_context, request.max_tokens, left, n_prompt);
  }
  check_sampling(request.sampling, info_.vocab_size);
}

GenerationId BatchEngine::submit(GenerationRequest request, std::shared_ptr<GenerationListener> listener) {
  check(request);
  const GenerationId id = queue_.next_id();
  queue_.add(std::make_unique<Sequence>(id, std::move(request), std::move(listener)));
  return id;
}

void BatchEngine::stop(std::chrono::milliseconds grace) {
  queue_.stop(grace);
  const std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void BatchEngine::run() {
  while (true) {
    tell_sequences();
    if (!queue_.wait_for_work(int(active_.size()))) return;
    try {
      drop_cancelled();
      admit();
      if (active_.empty()) continue;
      scheduler_.compose(active_, runner_.cache(), pace_.prompt_rows());
      if (!scheduler_.rows().empty()) step();
    } catch (const Error& error) {
      log::error("{}", error.message());
      fail_batch(error);
    } catch (const std::exception& error) {
      log::error("a step failed: {}", error.what());
      fail_batch(Error(ErrorKind::internal, "a step failed: {}", error.what()));
    }
    active_.remove_if([](const SequencePtr& sequence) { return sequence == nullptr; });
  }
}

void BatchEngine::tell_sequences() {
  const std::lock_guard lock(sequences_mutex_);
  prefix_.n_blocks = runner_.cache().n_blocks();
  prefix_.n_used_blocks = runner_.cache().n_named_blocks();
  prefix_.n_disk_tokens = runner_.cache().n_read_tokens();
  sequences_.clear();
  for (const SequencePtr& s : active_) {
    sequences_.push_back({.id = s->id,
                          .n_prompt_tokens = s->n_prompt(),
                          .n_cached_tokens = s->n_reused,
                          .n_prefilled_tokens = std::min(s->n_cached, s->n_prompt()),
                          .n_generated_tokens = s->n_generated,
                          .max_tokens = s->n_max() - s->n_prompt(),
                          .in_prefill = s->in_prefill()});
  }
}

void BatchEngine::drop_cancelled() {
  const RequestQueue::Cancelled cancelled = queue_.take_cancelled();
  for (const SequencePtr& sequence : cancelled.waiting) finish(*sequence, {.reason = FinishReason::cancelled});
  for (SequencePtr& sequence : active_) {
    if (!cancelled.holds(*sequence)) continue;
    finish(*sequence, {.reason = FinishReason::cancelled});
    sequence.reset();
  }
  active_.remove_if([](const SequencePtr& sequence) { return sequence == nullptr; });
}

// Starts those that wait in the order of their rank: a request that the caches cannot hold yet holds those behind it
// too.
void BatchEngine::admit() {
  KvCache& cache = runner_.cache();
  const auto fits = [&](const Sequence& sequence) { return cache.can_reserve(sequence.n_max()); };
  while (SequencePtr sequence = queue_.take_if(fits)) {
    sequence->slot =
        cache.open(sequence->n_max(), sequence->shares() ? KvCache::Sharing::both : KvCache::Sharing::none);
    sequence->started = Clock::now();
    if (sequence->is_pooled()) runner_.pooler().begin(sequence->slot);
    active_.push_back(std::move(sequence));
  }
}

Tensor BatchEngine::run_rows(std::span<const StepRow> rows) {
  if (std::none_of(rows.begin(), rows.end(), [](const StepRow& row) { return row.wants_hidden; })) {
    return runner_.run(rows);
  }
  const HiddenObserver observer = [&](int index, const Tensor& hidden) {
    if (index == runner_.spec().n_layers) pool(rows, hidden);
  };
  return runner_.run(rows, &observer);
}

// hidden: of the rows that want it or logits, in their order
void BatchEngine::pool(std::span<const StepRow> rows, const Tensor& hidden) {
  const float* of_row = hidden.f32();
  for (const StepRow& row : rows) {
    if (row.wants_hidden) {
      const auto s = std::find_if(active_.begin(), active_.end(),
                                  [&](const SequencePtr& other) { return other && other->slot == row.slot; });
      runner_.pooler().add(row.slot, (*s)->request.pooling, of_row);
    }
    if (row.wants_hidden || row.wants_logits) of_row += hidden.dim(1);
  }
}

void BatchEngine::step() {
  const auto start = Clock::now();
  Tensor logits;
  try {
    logits = run_rows(scheduler_.rows());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::io || scheduler_.sequences().size() == 1) throw;
    return step_apart(error);
  }
  if (const int n_answers = scheduler_.n_answer_rows(); n_answers > 0) {
    pace_.add(int(scheduler_.rows().size()) - n_answers, 1e-3 * milliseconds(Clock::now() - start));
  }
  advance(scheduler_.rows(), scheduler_.sequences(), logits);
}

// Something that the step needs could not be read: each sequence goes on by itself, and those alone fail that need it.
// A row that runs twice writes the same keys and values to the same places.
void BatchEngine::step_apart(const Error& error) {
  log::warn("{}; {} sequences go on one by one", error.message(), scheduler_.sequences().size());
  const std::span<const StepRow> all = scheduler_.rows();
  for (Sequence*& s : scheduler_.sequences()) {
    const auto is_own = [&](const StepRow& row) { return row.slot == s->slot; };
    const auto begin = std::find_if(all.begin(), all.end(), is_own);
    const std::span<const StepRow> rows(begin, std::find_if_not(begin, all.end(), is_own));
    try {
      const Tensor logits = run_rows(rows);
      advance(rows, {&s, 1}, logits);
    } catch (const Error& own) {
      if (own.kind() != ErrorKind::io) throw;
      log::error("{}", own.message());
      end_active(*s, {.reason = FinishReason::failed, .error = own});
    }
  }
}

// After the rows have run, logits of those that asked for them in their order.
void BatchEngine::advance(std::span<const StepRow> rows, std::span<Sequence* const> sequences, const Tensor& logits) {
  want_token_.clear();
  for (const StepRow& row : rows) {
    Sequence& s =
        **std::find_if(sequences.begin(), sequences.end(), [&](Sequence* other) { return other->slot == row.slot; });
    s.n_cached = row.position + 1;
    s.block[size_t(row.position % kPageTokens)] = row.token;
    if (s.n_cached % kPageTokens == 0) runner_.cache().name_block(s.slot, s.block);
    if (s.n_cached == s.n_prompt()) runner_.cache().keep_window(s.slot);
    if (row.wants_logits) want_token_.push_back(&s);
  }
  for (Sequence* s : sequences) {
    if (s->n_generated == 0) s->listener->on_prefill(s->n_cached, s->n_prompt());
  }
  for (Sequence* s : sequences) {
    if (s->is_pooled() && !s->in_prefill()) end_pooled(*s);
  }
  const int64_t vocab_size = logits.dim(1);
  for (size_t i = 0; i < want_token_.size(); ++i) {
    Sequence& s = *want_token_[i];
    try {
      take_token(s, {logits.f32() + int64_t(i) * vocab_size, size_t(vocab_size)});
    } catch (const Error& error) {  // its own failure, and nobody else's
      end_active(s, {.reason = FinishReason::failed, .error = error});
    } catch (const std::exception& error) {
      end_active(s, {.reason = FinishReason::failed,
                     .error = Error(ErrorKind::internal, "a token could not be chosen: {}", error.what())});
    }
  }
}

void BatchEngine::take_token(Sequence& s, std::span<float> logits) {
  TokenConstraint* const constraint = s.request.constraint.get();
  const auto allowed = constraint ? constraint->allowed() : std::span<const uint32_t>();
  const SampledToken token = s.sampler.sample(logits, runner_.sampling_scratch(), allowed);
  if (s.n_generated++ == 0) s.first_token = Clock::now();
  s.last_token = token.id;
  const auto& stops = s.request.stop_tokens;
  const bool stopped = std::find(stops.begin(), stops.end(), token.id) != stops.end();
  if (!stopped) s.listener->on_token(token);
  if (!stopped && constraint) constraint->accept(token.id);
  if (!stopped && s.n_generated < s.request.max_tokens) return;

  GenerationEnd end{.reason = stopped ? FinishReason::stop : FinishReason::length};
  if (stopped) end.stop_token = token.id;
  end_active(s, std::move(end));
}

void BatchEngine::end_pooled(Sequence& s) {
  s.first_token = Clock::now();
  s.listener->on_embedding(runner_.pooler().result(s.slot, s.n_prompt(), s.request.pooling));
  end_active(s, {.reason = FinishReason::stop});
}

// The place in active_ stays, empty, until the step is over.
void BatchEngine::end_active(Sequence& s, GenerationEnd end) {
  finish(s, std::move(end));
  for (SequencePtr& sequence : active_) {
    if (sequence.get() == &s) sequence.reset();
  }
}

// Tells the listener and gives the slot back; the caller drops the sequence.
void BatchEngine::finish(Sequence& s, GenerationEnd end) {
  const auto now = Clock::now();
  const bool started = s.started != Clock::time_point{}, decoding = s.first_token != Clock::time_point{};
  end.n_prompt_tokens = s.n_prompt();
  end.n_cached_tokens = s.n_reused;
  end.n_generated_tokens = s.n_generated;
  end.queue_ms = milliseconds((started ? s.started : now) - s.queued);
  if (started) end.prefill_ms = milliseconds((decoding ? s.first_token : now) - s.started);
  if (decoding) end.decode_ms = milliseconds(now - s.first_token);
  if (const int slot = std::exchange(s.slot, -1); slot >= 0) {
    runner_.cache().close(slot);
    count_prefix(s);
  }
  try {
    s.listener->on_end(end);
  } catch (const std::exception& error) {
    log::error("the end of an answer could not be told: {}", error.what());
  }
}

void BatchEngine::count_prefix(const Sequence& s) {
  if (!s.reuses() || !runner_.cache().reuses_prefixes()) return;
  const std::lock_guard lock(sequences_mutex_);
  ++prefix_.n_lookups;
  prefix_.n_hits += s.n_reused > 0;
  prefix_.n_reused_tokens += s.n_reused;
  prefix_.n_prompt_tokens += s.n_prompt();
}

void BatchEngine::fail_batch(const Error& error) {
  for (SequencePtr& sequence : active_) {
    if (sequence != nullptr) finish(*sequence, {.reason = FinishReason::failed, .error = error});
  }
  active_.clear();
}

}  // namespace

std::unique_ptr<Engine> open_engine(const EngineOptions& options, std::unique_ptr<Backend> backend,
                                    const LoadProgress& progress) {
  return std::make_unique<BatchEngine>(options, std::move(backend), progress);
}

}  // namespace paro
