#include "engine/step_pace.h"

#include <algorithm>

namespace paro {
namespace {

constexpr double kKeep = 0.95;         // of an older step's weight, for each newer one
constexpr double kLeastSpread = 0.15;  // of the mean, as standard deviation: below it a slope is noise
constexpr double kMostGrowth = 4;      // over the mean: farther the line is not trusted

}  // namespace

void StepPace::add(int n_prompt_rows, double seconds) {
  if (n_prompt_rows == 0) {
    decode_seconds_ = decode_seconds_ == 0 ? seconds : kKeep * decode_seconds_ + (1 - kKeep) * seconds;
    return;
  }
  const double x = n_prompt_rows;
  sums_.n = kKeep * sums_.n + 1;
  sums_.x = kKeep * sums_.x + x;
  sums_.y = kKeep * sums_.y + seconds;
  sums_.xx = kKeep * sums_.xx + x * x;
  sums_.xy = kKeep * sums_.xy + x * seconds;
}

int StepPace::prompt_rows() const {
  if (sums_.n == 0 || decode_seconds_ == 0) return kFirstRows;
  const double x = sums_.x / sums_.n, y = sums_.y / sums_.n;
  const double variance = sums_.xx / sums_.n - x * x;
  // The line through the mean of the steps with prompts; what cannot be told from them is told by answers alone.
  double per_row = (y - decode_seconds_) / x;
  if (variance > kLeastSpread * kLeastSpread * x * x) {
    per_row = std::min(per_row, (sums_.xy / sums_.n - x * y) / variance);
  }
  const double fixed = y - per_row * x, most = kMostGrowth * x;
  const double rows = per_row > 0 ? std::min(most, (kStretch - 1) * fixed / per_row) : most;
  return std::max(kFewestRows, int(rows));
}

}  // namespace paro
