// One sequence on its way: what was asked, how far it is, and what it is waiting for.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/sampler.h"
#include "ops/batch.h"

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
  int n_reused = 0;  // of those, positions that others had written
  int n_generated = 0;
  int32_t last_token = 0;                            // the newest generated, not yet run
  std::array<int32_t, size_t(kPageTokens)> block{};  // tokens of the one that is being written
  bool told_start = false;

  Sequence(GenerationId sequence_id, GenerationRequest r, std::shared_ptr<GenerationListener> l)
      : id(sequence_id),
        request(std::move(r)),
        listener(std::move(l)),
        sampler(request.sampling, request.prompt, /*fallback_seed=*/sequence_id) {}

  int n_prompt() const { return int(request.prompt.size()); }
  // Whether others may use what it writes, and whether it may use what others wrote: a mean needs every position's
  // hidden state, which no cache holds.
  bool shares() const { return request.cache_prompt; }
  bool reuses() const { return shares() && request.pooling != Pooling::mean; }
  bool is_pooled() const { return request.pooling != Pooling::none; }
  int n_max() const { return n_prompt() + (is_pooled() ? 0 : request.max_tokens); }
  bool in_prefill() const { return n_cached < n_prompt(); }
};

}  // namespace paro
