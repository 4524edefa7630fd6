// One sequence on its way: what was asked, how far it is, and what it is waiting for.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/sampler.h"

namespace paro {

struct Sequence {
  using Clock = std::chrono::steady_clock;

  GenerationId id = 0;
  GenerationRequest request;
  std::shared_ptr<GenerationListener> listener;  // shared with whoever waits for the answer
  Sampler sampler;
  Clock::time_point queued = Clock::now(), started{}, first_token{};

  int slot = -1;     // of the KvCache, once started
  int n_cached = 0;  // positions whose keys and values are written
  int n_generated = 0;
  int32_t last_token = 0;  // the newest generated, not yet run
  bool told_start = false;

  Sequence(GenerationId sequence_id, GenerationRequest r, std::shared_ptr<GenerationListener> l)
      : id(sequence_id),
        request(std::move(r)),
        listener(std::move(l)),
        sampler(request.sampling, request.prompt, /*fallback_seed=*/sequence_id) {}

  int n_prompt() const { return int(request.prompt.size()); }
  int n_max() const { return n_prompt() + request.max_tokens; }
  bool in_prefill() const { return n_cached < n_prompt(); }
};

}  // namespace paro
