// Where the inference thread leaves what happened to a request's sequences. Putting never waits for the reader: a box
// that is full drops the token and says so, and the reader gives the request up.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "server/wakeup.h"

namespace paro::server {

struct SequenceEvent {
  size_t sequence = 0;
  std::variant<SampledToken, GenerationEnd> what;
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
