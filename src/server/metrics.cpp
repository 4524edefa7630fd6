#include "server/metrics.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/routes.h"

namespace paro::server {
namespace {

// Seconds: what a small model takes for a token, to what a long prompt takes.
const prometheus::Histogram::BucketBoundaries kBuckets{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2,
                                                       0.5,   1,     2,     5,    10,   20,   60};

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram& histogram(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, kBuckets);
}

std::array<prometheus::Counter*, 4> end_counters(prometheus::Registry& registry) {
  prometheus::Family<prometheus::Counter>& family =
      prometheus::BuildCounter()
          .Name("paro_sequences_ended_total")
          .Help("Sequences that ended, by reason: a client that leaves cancels its own")
          .Register(registry);
  std::array<prometheus::Counter*, 4> counters{};
  const auto add = [&](FinishReason reason, const char* name) {
    counters[static_cast<size_t>(reason)] = &family.Add({{"reason", name}});
  };
  add(FinishReason::stop, "stop");
  add(FinishReason::length, "length");
  add(FinishReason::cancelled, "cancelled");
  add(FinishReason::failed, "failed");
  return counters;
}

// Never the path itself, of which there is no end.
std::string label_of(const Route* route) {
  if (route == nullptr) return "none";
  std::string label(route->path);
  if (label.ends_with('/')) label += "{id}";
  return label;
}

double seconds(std::chrono::steady_clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Metrics::Metrics()
    : answers_(prometheus::BuildCounter()
                   .Name("paro_requests_total")
                   .Help("Requests that were answered, by route (none: a path that no route has) and status")
                   .Register(registry_)),
      open_connections_(prometheus::BuildGauge()
                            .Name("paro_connections_open")
                            .Help("Connections that are served")
                            .Register(registry_)
                            .Add({})),
      prompt_tokens_(counter(registry_, "paro_prompt_tokens_total", "Tokens of prompts that went through the model")),
      generated_tokens_(counter(registry_, "paro_generated_tokens_total", "Tokens that the model chose")),
      queue_(histogram(registry_, "paro_queue_seconds", "Time that sequences waited for their prefill, once they end")),
      first_token_(histogram(registry_, "paro_time_to_first_token_seconds",
                             "Time from when a sequence is queued to its first token")),
      next_token_(
          histogram(registry_, "paro_inter_token_latency_seconds", "Time from a token of a sequence to its next")),
      ends_(end_counters(registry_)) {}

void Metrics::count_answer(const Route* route, unsigned status) {
  answers_.Add({{"route", label_of(route)}, {"status", std::to_string(status)}}).Increment();
}

void Metrics::set_open_connections(size_t n) { open_connections_.Set(static_cast<double>(n)); }

std::vector<prometheus::MetricFamily> Metrics::collect() const { return registry_.Collect(); }

SequenceMeter::SequenceMeter(std::shared_ptr<Metrics> metrics) : metrics_(std::move(metrics)), last_(Clock::now()) {}

void SequenceMeter::on_prefill(int n_done) noexcept {
  metrics_->prompt_tokens_.Increment(std::max(n_done - n_prefilled_, 0));
  n_prefilled_ = std::max(n_done, n_prefilled_);
}

void SequenceMeter::on_token() noexcept {
  const Clock::time_point now = Clock::now();
  metrics_->generated_tokens_.Increment();
  (n_tokens_ == 0 ? metrics_->first_token_ : metrics_->next_token_).Observe(seconds(now - last_));
  last_ = now;
  ++n_tokens_;
}

void SequenceMeter::on_end(const GenerationEnd& end) noexcept {
  metrics_->generated_tokens_.Increment(std::max(end.n_generated_tokens - n_tokens_, 0));  // a stop token
  metrics_->queue_.Observe(end.queue_ms / 1000);
  const bool stopped = end.reason == FinishReason::cancelled && complete_;
  metrics_->ends_[static_cast<size_t>(stopped ? FinishReason::stop : end.reason)]->Increment();
}

}  // namespace paro::server
