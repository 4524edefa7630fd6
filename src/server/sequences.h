// One request's sequences at the engine. Those that still run are cancelled when this goes out of scope, whatever the
// reason: an error, a client that left, a stop.
#pragma once

#include <memory>
#include <vector>

#include "engine/engine.h"
#include "server/mailbox.h"
#include "server/metrics.h"
#include "server/request_memory.h"

namespace paro::server {

class Sequences {
 public:
  Sequences(Engine& engine, std::shared_ptr<Metrics> metrics, std::shared_ptr<Wakeup> reader, WakeFor wake_for,
            MemoryPool& pool);
  ~Sequences();
  Sequences(const Sequences&) = delete;
  Sequences& operator=(const Sequences&) = delete;

  // The next index; throws as Engine::submit. Prefill is among the events when it is to be told.
  void submit(GenerationRequest request, bool tells_prefill = false);
  void stop(size_t sequence);  // its answer is complete
  bool all_ended() const { return n_ended_ == ids_.size(); }

  // What happened since. Throws Error{unavailable} when the client read too slowly for the tokens to be kept.
  std::vector<SequenceEvent> take();

 private:
  class Listener;

  Engine& engine_;
  const std::shared_ptr<Metrics> metrics_;  // shared with the listeners too
  std::shared_ptr<Mailbox> mailbox_;  // shared with the listeners, which the engine keeps until a sequence has ended
  std::vector<GenerationId> ids_;
  std::vector<std::shared_ptr<Listener>> listeners_;  // shared with the engine
  std::vector<bool> ended_;
  size_t n_ended_ = 0;
};

}  // namespace paro::server
