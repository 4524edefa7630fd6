#include "engine/step_lanes.h"

namespace paro {
namespace {

// The index nearest to `at` where a sequence begins or all rows end.
size_t nearest_cut(std::span<const StepRow> rows, size_t at) {
  const auto is_inside = [&](size_t i) { return i > 0 && i < rows.size() && rows[i - 1].slot == rows[i].slot; };
  size_t before = at, after = at;
  while (is_inside(before)) --before;
  while (is_inside(after)) ++after;
  return at - before <= after - at ? before : after;
}

// Rows of a lane below which reading the weights once for each lane costs what lanes save.
constexpr int kFewestRows = 8;

}  // namespace

bool cut_into_lanes(std::span<const StepRow> rows, int max_rows, std::span<std::span<const StepRow>> lanes) {
  const size_t n_lanes = lanes.size();
  size_t begin = 0;
  for (size_t i = 0; i < n_lanes; ++i) {
    const size_t end = nearest_cut(rows, rows.size() * (i + 1) / n_lanes);
    if (end <= begin) return false;
    const size_t n = end - begin;
    // A lane takes as long as its rows; whole steps lose about a quarter of the threads' time.
    if (n > size_t(max_rows) || 3 * n * n_lanes > 4 * rows.size()) return false;
    lanes[i] = rows.subspan(begin, n);
    begin = end;
  }
  return true;
}

int even_rows(int n_others, int n_lanes) {
  if (n_lanes == 1) return 0;
  const int n = n_others / (n_lanes - 1);
  return n < kFewestRows ? 0 : n;
}

}  // namespace paro
