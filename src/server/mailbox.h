// Where the inference thread leaves what happened to a request's sequences. Putting never waits for the reader: where
// memory for it is neither free nor to be had, a token is dropped, the box says so, and the reader gives the request
// up. Waking the reader costs the inference thread a system call: one who has no use for a token by itself is told of
// several at once.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "server/request_memory.h"
#include "server/wakeup.h"

namespace paro::server {

struct PrefillProgress {
  int n_done = 0;  // of the prompt's tokens, those from a cache among them
  int n_cached = 0;
};

struct Embedding {
  std::vector<float> hidden;  // [hidden_size]
};

struct SequenceEvent {
  size_t sequence = 0;
  std::variant<PrefillProgress, SampledToken, Embedding, GenerationEnd> what;
  std::chrono::steady_clock::time_point at = std::chrono::steady_clock::now();
};

// Every token, or the end and many tokens.
enum class WakeFor { each, many };

class Mailbox {
 public:
  static constexpr uint64_t kFreeBytes = 32 << 10;  // more are charged to the pool, which close() is the last to need
  static constexpr size_t kMany = 32;               // events

  Mailbox(std::shared_ptr<Wakeup> reader, WakeFor wake_for, MemoryPool& pool)
      : reader_(std::move(reader)), wakes_at_(wake_for == WakeFor::each ? 1 : kMany), pool_(pool) {}

  void put(SequenceEvent event);  // inference thread

  struct Contents {
    std::vector<SequenceEvent> events;
    bool overrun = false;
  };
  Contents take();

  void close();  // the reader leaves: what is still put is dropped

 private:
  bool charge(const SampledToken& token);

  std::mutex mutex_;  // guards all below
  std::shared_ptr<Wakeup> reader_;
  const size_t wakes_at_;  // so many events
  MemoryPool& pool_;
  std::vector<SequenceEvent> events_;
  uint64_t n_bytes_ = 0;                          // of events
  uint64_t charged_bytes_ = 0, taken_bytes_ = 0;  // for events here, and for those that the reader has taken
  bool overrun_ = false;
};

}  // namespace paro::server
