#include "cli/bench_figures.h"

#include <algorithm>

namespace paro::cli {

double Samples::median() const {
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
}

double Samples::least() const { return *std::min_element(values_.begin(), values_.end()); }
double Samples::most() const { return *std::max_element(values_.begin(), values_.end()); }

void StreamFigure::add(const ExpertStats& before, const ExpertStats& after, double seconds, int n_steps) {
  const int64_t n_fetched = after.n_fetched - before.n_fetched, n_requested = after.n_requested - before.n_requested;
  const int64_t n_missed = n_requested - (after.n_hits - before.n_hits);
  if (after.n_slots == after.n_experts || n_requested == 0) return;
  const double mb = double(after.n_read_bytes - before.n_read_bytes) / 1e6 / n_steps;
  hit_share.add(1 - double(n_missed) / double(n_requested));
  missed_mb.add(n_fetched == 0 ? 0 : mb * double(n_missed) / double(n_fetched));
  read_mb.add(mb);
  wait_share.add((after.wait_seconds - before.wait_seconds) / seconds);
}

const DecodeFigure* BenchFigures::decode_of(int batch) const {
  const auto found = std::find_if(decode.begin(), decode.end(), [&](const auto& f) { return f.batch == batch; });
  return found == decode.end() ? nullptr : &*found;
}

}  // namespace paro::cli
