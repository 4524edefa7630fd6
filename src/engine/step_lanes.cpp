#include "engine/step_lanes.h"

namespace paro {
namespace {

// What rows take, measured: one that wants logits goes through the head, and shares its keys with no other.
constexpr int64_t kWeight = 4, kLogitWeight = 7;

// Rows of a lane below which reading the weights once for each lane costs what lanes save.
constexpr int kFewestRows = 8;

int64_t weight_of(const StepRow& row) { return row.wants_logits ? kLogitWeight : kWeight; }

struct Stretch {
  size_t n_rows = 0;
  int64_t weight = 0;
};

// The sequence at the front of what is left.
Stretch first_sequence(std::span<const StepRow> rows) {
  Stretch first;
  while (first.n_rows < rows.size() && rows[first.n_rows].slot == rows.front().slot) {
    first.weight += weight_of(rows[first.n_rows++]);
  }
  return first;
}

}  // namespace

bool cut_into_lanes(std::span<const StepRow> rows, int max_rows, std::span<std::span<const StepRow>> lanes) {
  const auto n_lanes = int64_t(lanes.size());
  int64_t total = 0, cut = 0;
  for (const StepRow& row : rows) total += weight_of(row);
  for (int64_t i = 0; i < n_lanes; ++i) {
    Stretch lane;
    const int64_t begin = cut;
    // A sequence is this lane's if most of it lies before the lane's even end.
    while (lane.n_rows < rows.size()) {
      const Stretch next = first_sequence(rows.subspan(lane.n_rows));
      if (n_lanes * (2 * cut + next.weight) > 2 * total * (i + 1)) break;
      lane.n_rows += next.n_rows;
      cut += next.weight;
    }
    if (lane.n_rows == 0 || lane.n_rows > size_t(max_rows)) return false;
    // Whole steps lose about a quarter of the threads' time.
    if (3 * n_lanes * (cut - begin) > 4 * total) return false;
    lanes[size_t(i)] = rows.first(lane.n_rows);
    rows = rows.subspan(lane.n_rows);
  }
  return true;
}

int64_t lane_weight(int n_logit_rows, int n_other_rows) { return kLogitWeight * n_logit_rows + kWeight * n_other_rows; }

int even_rows(int n_logit_rows, int n_other_rows, int n_lanes) {
  if (n_lanes == 1) return 0;
  const auto n = int(lane_weight(n_logit_rows, n_other_rows) / kWeight / (n_lanes - 1));
  return n < kFewestRows ? 0 : n;
}

}  // namespace paro
