// Where the inference thread leaves what happened to a request's sequences. Putting never waits for the reader: a box
// that is full drops the token and says so, and the reader gives the request up.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "engine/engine.h"
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

class Mailbox {
 public:
  Mailbox(std::shared_ptr<Wakeup> reader, size_t capacity) : reader_(std::move(reader)), capacity_(capacity) {}

  void put(SequenceEvent event);  // inference thread

  struct Contents {
    std::vector<SequenceEvent> events;
    bool overrun = false;
  };
  Contents take();

  void close();  // the reader leaves: what is still put is dropped

 private:
  std::mutex mutex_;  // guards all below
  std::shared_ptr<Wakeup> reader_;
  const size_t capacity_;
  std::vector<SequenceEvent> events_;
  bool overrun_ = false;
};

}  // namespace paro::server
