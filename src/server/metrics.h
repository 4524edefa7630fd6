// What the server counts while it runs, for /metrics: answers by route and status, tokens, and how long they take.
// There are as many series as routes, statuses and reasons, none of a client's making; counting in one that is there
// takes no memory.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "engine/engine.h"

namespace paro::server {

struct Route;

// For any thread.
class Metrics {
 public:
  Metrics();

  void count_answer(const Route* route, unsigned status);  // nullptr: a path that no route has
  void set_open_connections(size_t n);

  std::vector<prometheus::MetricFamily> collect() const;

 private:
  friend class SequenceMeter;

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& answers_;
  prometheus::Gauge& open_connections_;
  prometheus::Counter &prompt_tokens_, &generated_tokens_;
  prometheus::Histogram &queue_, &first_token_, &next_token_;
  std::array<prometheus::Counter*, 4> ends_;  // by FinishReason
};

// Follows one sequence from when it is queued. What the inference thread calls throws nothing, takes no memory, and
// waits for nobody but a reader of /metrics who copies a histogram.
class SequenceMeter {
 public:
  explicit SequenceMeter(std::shared_ptr<Metrics> metrics);

  void on_prefill(int n_done) noexcept;
  void on_token() noexcept;
  void on_end(const GenerationEnd& end) noexcept;

  // From any thread: the answer is complete, and a cancel that ends the sequence is a stop.
  void complete() noexcept { complete_ = true; }

 private:
  using Clock = std::chrono::steady_clock;

  const std::shared_ptr<Metrics> metrics_;  // shared with the server, which the sequence may outlive
  std::atomic<bool> complete_{false};
  Clock::time_point last_;  // token, or when the sequence was queued
  int n_prefilled_ = 0;
  int n_tokens_ = 0;
};

}  // namespace paro::server
