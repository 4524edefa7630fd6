// The narrow door to a loaded model: token ids in, token ids out. Stop strings, templates and text live above it. One
// inference thread owns the model; every method may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/memory_report.h"
#include "engine/sampling.h"
#include "engine/token_constraint.h"

namespace paro {

// What one vector is made of the final hidden states of a prompt: their mean, or the last one.
enum class Pooling : uint8_t { none, mean, last };

struct GenerationRequest {
  std::vector<int32_t> prompt;
  int max_tokens = 0;  // at least 1; without meaning where a prompt is pooled
  SamplingOptions sampling;
  std::vector<int32_t> stop_tokens;  // end the sequence and are not delivered; the model's own are not implied
  std::shared_ptr<TokenConstraint> constraint;  // none: any token may follow any other. This sequence's alone
  int priority = 0;                             // larger first
  Pooling pooling = Pooling::none;              // else the prompt alone is run, and no token is drawn
  bool cache_prompt = true;                     // whether it takes from the prefix cache and leaves its own there
};

enum class FinishReason { stop, length, cancelled, failed };

struct GenerationEnd {
  FinishReason reason = FinishReason::stop;
  std::optional<Error> error;         // with FinishReason::failed
  std::optional<int32_t> stop_token;  // the one that ended it
  int n_prompt_tokens = 0;
  int n_cached_tokens = 0;     // of the prompt, taken from a cache
  int n_generated_tokens = 0;  // a stop token counts
  double queue_ms = 0, prefill_ms = 0, decode_ms = 0;
};

// Told of one sequence's progress on the inference thread: return quickly, throw nothing.
class GenerationListener {
 public:
  virtual ~GenerationListener() = default;
  virtual void on_start(int /*n_cached_tokens*/, int /*n_prompt_tokens*/) {}  // of prefill; once
  virtual void on_prefill(int /*n_done*/, int /*n_prompt_tokens*/) {}
  virtual void on_token(const SampledToken& token) = 0;
  virtual void on_embedding(std::span<const float> /*hidden*/) {}  // [hidden_size], once, where it was asked for
  virtual void on_end(const GenerationEnd& end) = 0;               // once, last
};

using GenerationId = uint64_t;

// What is fixed once a model is loaded.
struct ModelInfo {
  std::string architecture;  // "gemma4_text"
  std::string backend;       // "cpu (avx512vnni, 2 threads)"
  int vocab_size = 0;
  int hidden_size = 0;  // elements of an embedding
  int max_context = 0;  // tokens of prompt and answer together
  int max_batch = 0;
  std::vector<int32_t> stop_tokens;  // eos ids of generation_config.json, else of config.json
  SamplingOptions default_sampling;  // generation_config.json
};

// What prompts had in common with earlier ones, counted since the start, and the blocks of tokens that are kept for it.
struct PrefixStats {
  int64_t n_hits = 0;  // prompts that found a beginning of theirs
  int64_t n_lookups = 0;
  int64_t n_reused_tokens = 0;
  int64_t n_prompt_tokens = 0;  // of those that were looked up
  int64_t n_blocks = 0;         // that may be kept while no sequence runs
  int64_t n_used_blocks = 0;
  int64_t n_disk_tokens = 0;     // read from disk
  int64_t n_disk_bytes = 0;      // of files
  int64_t disk_limit_bytes = 0;  // 0: nothing is kept on disk
};

struct EngineStatus {
  int n_active = 0;   // sequences in the batch
  int n_waiting = 0;  // in the queue
  PrefixStats prefix;
};

// One sequence of the batch.
struct SequenceStatus {
  GenerationId id = 0;
  int n_prompt_tokens = 0;
  int n_cached_tokens = 0;     // of the prompt, taken from a cache
  int n_prefilled_tokens = 0;  // of the prompt, those included
  int n_generated_tokens = 0;
  int max_tokens = 0;
  bool in_prefill = false;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const ModelInfo& info() const = 0;
  virtual MemoryReport memory() const = 0;
  virtual EngineStatus status() const = 0;
  virtual std::vector<SequenceStatus> sequences() const = 0;  // those of the batch, as after the latest step

  // Queues a sequence. The listener is kept until on_end has returned; the caller shares it to hear of the answer.
  // Throws Error: request (an id outside the vocabulary, an option out of range), context_length (the prompt leaves no
  // room for a token), memory (it never fits), unavailable (the queue is full, or the engine stops).
  virtual GenerationId submit(GenerationRequest request, std::shared_ptr<GenerationListener> listener) = 0;

  // Ends a sequence wherever it stands, also in prefill, soon; on_end(cancelled) follows. Unknown ids are ignored.
  virtual void cancel(GenerationId id) = 0;

  // Takes no more requests, lets those at work finish for at most `grace`, cancels the rest and returns.
  virtual void stop(std::chrono::milliseconds grace) = 0;
};

// Waits for a whole answer: for programs that serve nobody else.
struct Generation {
  std::vector<SampledToken> tokens;
  GenerationEnd end;
};
Generation generate(Engine& engine, GenerationRequest request);

}  // namespace paro
