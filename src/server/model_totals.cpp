#include "server/model_totals.h"

#include <algorithm>

namespace paro::server {
namespace {

void add(ExpertStats& sum, const ExpertStats& more) {
  sum.n_experts += more.n_experts;
  sum.n_slots += more.n_slots;
  sum.n_requested += more.n_requested;
  sum.n_hits += more.n_hits;
  sum.n_fetched += more.n_fetched;
  sum.n_guessed += more.n_guessed;
  sum.n_guessed_right += more.n_guessed_right;
  sum.n_read_bytes += more.n_read_bytes;
  sum.wait_seconds += more.wait_seconds;
}

void add(PrefixStats& sum, const PrefixStats& more) {
  sum.n_hits += more.n_hits;
  sum.n_lookups += more.n_lookups;
  sum.n_reused_tokens += more.n_reused_tokens;
  sum.n_prompt_tokens += more.n_prompt_tokens;
  sum.n_blocks += more.n_blocks;
  sum.n_used_blocks += more.n_used_blocks;
  sum.n_disk_tokens += more.n_disk_tokens;
  sum.n_disk_bytes += more.n_disk_bytes;
  sum.disk_limit_bytes += more.disk_limit_bytes;
}

void add(std::vector<MemoryClass>& classes, const MemoryClass& more) {
  const auto same = std::find_if(classes.begin(), classes.end(), [&](const auto& c) { return c.name == more.name; });
  if (same == classes.end()) {
    classes.push_back(more);
  } else if (more.name != kServerMemoryClass) {
    same->plan_bytes += more.plan_bytes;
    same->actual_bytes += more.actual_bytes;
  }
}

}  // namespace

MemoryReport total_memory(const ServerState& server, const std::vector<ModelLibrary::Lease>& models) {
  MemoryReport sum;
  if (models.empty()) {
    sum.fits = true;
    sum.classes.push_back({kServerMemoryClass, planned_bytes(server.options), 0});
    sum.budget_bytes = sum.classes.front().plan_bytes + server.library.room_bytes();
  }
  for (const ModelLibrary::Lease& model : models) {
    const MemoryReport report = model.service().model.engine.memory();
    if (sum.classes.empty()) {
      sum = report;
      continue;
    }
    for (const MemoryClass& each : report.classes) add(sum.classes, each);
    add(sum.experts, report.experts);
  }
  sum.plan_bytes = 0;
  for (const MemoryClass& each : sum.classes) sum.plan_bytes += each.plan_bytes;
  return sum;
}

EngineStatus total_status(const std::vector<ModelLibrary::Lease>& models) {
  EngineStatus sum;
  for (const ModelLibrary::Lease& model : models) {
    const EngineStatus status = model.service().model.engine.status();
    sum.n_active += status.n_active;
    sum.n_waiting += status.n_waiting;
    add(sum.prefix, status.prefix);
  }
  return sum;
}

}  // namespace paro::server
