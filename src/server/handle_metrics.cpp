// /metrics in Prometheus' text format: what was counted, and what the engine tells at this moment.
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <utility>
#include <vector>

#include "server/connection.h"
#include "server/metrics.h"
#include "server/model_totals.h"
#include "server/peak_memory.h"
#include "server/routes.h"
#include "server/server_state.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTextFormat = "text/plain; version=0.0.4; charset=utf-8";

class Families {
 public:
  explicit Families(std::vector<MetricFamily> families) : families_(std::move(families)) {}

  void add_gauge(const char* name, const char* help, auto value) { add(MetricType::Gauge, name, help, value); }
  void add_counter(const char* name, const char* help, auto value) { add(MetricType::Counter, name, help, value); }

  void add_classes(const char* name, const char* help, const MemoryReport& report, int64_t MemoryClass::*bytes) {
    MetricFamily family{name, help, MetricType::Gauge, {}};
    for (const MemoryClass& each : report.classes) {
      ClientMetric metric;
      metric.label.push_back({"class", each.name});
      metric.gauge.value = static_cast<double>(each.*bytes);
      family.metric.push_back(std::move(metric));
    }
    if (!family.metric.empty()) families_.push_back(std::move(family));
  }

  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  void add(MetricType type, const char* name, const char* help, auto value) {
    ClientMetric metric;
    (type == MetricType::Gauge ? metric.gauge.value : metric.counter.value) = static_cast<double>(value);
    families_.push_back({name, help, type, {std::move(metric)}});
  }

  std::vector<MetricFamily> families_;
};

void add_sequences(Families& families, const EngineStatus& status) {
  families.add_gauge("paro_sequences_active", "Sequences in the batch", status.n_active);
  families.add_gauge("paro_sequences_waiting", "Sequences in the queue", status.n_waiting);
}

void add_prefixes(Families& families, const PrefixStats& prefix) {
  families.add_counter("paro_prefix_lookups_total", "Prompts whose beginning was looked for among earlier ones",
                       prefix.n_lookups);
  families.add_counter("paro_prefix_hits_total", "Prompts of those that took over a beginning", prefix.n_hits);
  families.add_counter("paro_prefix_prompt_tokens_total", "Tokens of prompts that were looked up",
                       prefix.n_prompt_tokens);
  families.add_counter("paro_prefix_reused_tokens_total", "Tokens of those that were not run again",
                       prefix.n_reused_tokens);
  families.add_gauge("paro_prefix_blocks", "Blocks of tokens that the caches hold at most", prefix.n_blocks);
  families.add_gauge("paro_prefix_blocks_used", "Blocks of tokens that prompts can take over", prefix.n_used_blocks);
  if (prefix.disk_limit_bytes == 0) return;
  families.add_counter("paro_prefix_disk_tokens_total", "Tokens of prompts whose keys and values were read from disk",
                       prefix.n_disk_tokens);
  families.add_gauge("paro_prefix_disk_bytes", "Files of beginnings of prompts", prefix.n_disk_bytes);
  families.add_gauge("paro_prefix_disk_limit_bytes", "What these files may take", prefix.disk_limit_bytes);
}

void add_memory(Families& families, const MemoryReport& report) {
  families.add_gauge("paro_memory_plan_bytes", "Memory that is planned", report.plan_bytes);
  families.add_gauge("paro_memory_budget_bytes", "Memory that the plan may come to", report.budget_bytes);
  families.add_classes("paro_memory_class_plan_bytes", "Memory that is planned, by class", report,
                       &MemoryClass::plan_bytes);
  families.add_classes("paro_memory_class_actual_bytes", "Memory that is taken, by class", report,
                       &MemoryClass::actual_bytes);
  if (const int64_t peak_bytes = peak_resident_bytes(); peak_bytes > 0)
    families.add_gauge("paro_resident_peak_bytes", "The most memory that the process has held", peak_bytes);
}

void add_experts(Families& families, const ExpertStats& experts) {
  if (experts.n_experts == 0) return;
  families.add_gauge("paro_experts", "Experts of all layers", experts.n_experts);
  families.add_gauge("paro_expert_slots", "Experts that memory holds at once", experts.n_slots);
  families.add_counter("paro_expert_requests_total", "Experts that steps needed", experts.n_requested);
  families.add_counter("paro_expert_hits_total", "Needed experts that an earlier step had left in memory",
                       experts.n_hits);
  families.add_counter("paro_expert_fetches_total", "Experts that were read from disk, needed or guessed",
                       experts.n_fetched);
  families.add_counter("paro_expert_read_bytes_total", "Bytes of experts that were read from disk",
                       experts.n_read_bytes);
  families.add_counter("paro_expert_wait_seconds_total", "Time that steps waited for experts with nothing to compute",
                       experts.wait_seconds);
}

std::string metrics_text(ServerState& server) {
  Families families(server.metrics->collect());
  const std::vector<ModelLibrary::Lease> models = server.library.loaded();
  families.add_gauge("paro_models_loaded", "Models in memory", models.size());
  const MemoryReport report = total_memory(server, models);
  const EngineStatus status = total_status(models);
  add_sequences(families, status);
  add_prefixes(families, status.prefix);
  add_memory(families, report);
  add_experts(families, report.experts);
  return families.text();
}

}  // namespace

asio::awaitable<void> handle_metrics(Connection& connection) {
  co_await connection.respond_text(200, metrics_text(connection.server()), kTextFormat);
}

}  // namespace paro::server
