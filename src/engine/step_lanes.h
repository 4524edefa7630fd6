// Lanes: pieces of a step that run at once, each from the first layer to the last on a thread of its own. Threads that
// share the ops of a small model spend more on meeting each other than on reading its weights, which lie in caches,
// once more. A row's result does not depend on company, so that it is the same in a lane.
#pragma once

#include <cstdint>
#include <span>

#include "engine/step_inputs.h"

namespace paro {

struct LanePlan {
  int n_lanes = 1;          // as many as the backend has threads; 1: steps are run whole
  int max_rows = 0;         // of one lane
  int64_t arena_bytes = 0;  // of one lane, without its logits
};

// Weights up to which lanes are worth reading them once each.
constexpr int64_t kMostLaneWeightBytes = 32 << 20;

// Cuts `rows` between sequences, into lanes.size() pieces that take about as long. False where none would do: fewer
// sequences than lanes, or one that is much longer than the others or has more than max_rows.
bool cut_into_lanes(std::span<const StepRow> rows, int max_rows, std::span<std::span<const StepRow>> lanes);

// What rows take, in units of its own: rows that want logits, and others.
int64_t lane_weight(int n_logit_rows, int n_other_rows);

// The most rows of one prompt that leave lanes even beside so many others; 0: those are so few that a step is better
// run whole.
int even_rows(int n_logit_rows, int n_other_rows, int n_lanes);

}  // namespace paro
