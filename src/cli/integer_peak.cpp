#include "cli/integer_peak.h"

#include <atomic>
#include <chrono>
#include <utility>

#include "backends/cpu/cpu_backend.h"

namespace paro::cli {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

IntegerPeakProbe::IntegerPeakProbe(int n_threads, std::string isa) : isa_(std::move(isa)), threads_(n_threads) {
  // Pieces long enough that taking one costs nothing.
  constexpr double kPieceSeconds = 0.5e-3;
  for (n_rounds_ = 256;; n_rounds_ *= 2) {
    const auto start = std::chrono::steady_clock::now();
    run_integer_peak(isa_, n_rounds_);
    if (seconds_since(start) > kPieceSeconds) break;
  }
}

double IntegerPeakProbe::ops_per_s() {
  constexpr int64_t kPiecesPerThread = 200;
  std::atomic<int64_t> n_ops{0};
  const auto start = std::chrono::steady_clock::now();
  // Taken by whichever thread is free, so that one that is held up holds up no other.
  threads_.for_each(kPiecesPerThread * threads_.n_threads(),
                    [&](int64_t) { n_ops += int64_t(run_integer_peak(isa_, n_rounds_)); });
  return double(n_ops.load()) / seconds_since(start);
}

}  // namespace paro::cli
