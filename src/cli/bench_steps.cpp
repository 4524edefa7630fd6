#include "cli/bench_steps.h"

#include <algorithm>
#include <chrono>

#include "base/largest.h"

namespace paro::cli {
namespace {

class Clock {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

double BenchSteps::prefill_seconds(int n_tokens) {
  const std::vector<int> slots = open(1, n_tokens);
  const int chunk = runner_.report().prefill_chunk;
  const Clock clock;
  for (int begin = 0; begin < n_tokens; begin += chunk) {
    const int end = std::min(begin + chunk, n_tokens);
    runner_.cache().extend(slots[0], begin, end);
    for (int i = begin; i < end; ++i) add_row(slots[0], i, i + 1 == n_tokens);
    run();
  }
  const double seconds = clock.seconds();
  close(slots);
  return seconds;
}

double BenchSteps::decode_seconds(int batch, int depth, int n_tokens) {
  const std::vector<int> slots = open(batch, depth + n_tokens);
  for (const int slot : slots) fill(slot, depth);
  const Clock clock;
  for (int position = depth; position < depth + n_tokens; ++position) {
    for (const int slot : slots) {
      runner_.cache().extend(slot, position, position + 1);
      add_row(slot, position, true);
    }
    run();
  }
  const double seconds = clock.seconds();
  close(slots);
  return seconds;
}

int BenchSteps::mixed_chunk(int batch) const { return std::min(kMixedChunk, runner_.report().prefill_chunk - batch); }

double BenchSteps::mixed_seconds(int batch, int n_steps) {
  const int chunk = mixed_chunk(batch);
  const int n_prompt = chunk * n_steps;
  const std::vector<int> slots = open(batch, n_steps), prompt = open(1, n_prompt);
  const Clock clock;
  for (int step = 0; step < n_steps; ++step) {
    for (const int slot : slots) {
      runner_.cache().extend(slot, step, step + 1);
      add_row(slot, step, true);
    }
    const int begin = step * chunk;
    runner_.cache().extend(prompt[0], begin, begin + chunk);
    for (int i = begin; i < begin + chunk; ++i) add_row(prompt[0], i, i + 1 == n_prompt);
    run();
  }
  const double seconds = clock.seconds();
  close(prompt);
  close(slots);
  return seconds;
}

std::vector<int> BenchSteps::open(int n_sequences, int n_tokens) {
  std::vector<int> slots;
  for (int i = 0; i < n_sequences; ++i) slots.push_back(runner_.cache().open(n_tokens));
  return slots;
}

void BenchSteps::close(const std::vector<int>& slots) {
  for (const int slot : slots) runner_.cache().close(slot);
}

// Piece by piece, since a window holds pages of few steps only.
void BenchSteps::fill(int slot, int n_tokens) {
  const int chunk = runner_.report().prefill_chunk;
  for (int begin = 0; begin < n_tokens; begin += chunk) {
    runner_.cache().extend(slot, begin, std::min(begin + chunk, n_tokens));
  }
}

void BenchSteps::add_row(int slot, int position, bool wants_logits) {
  rows_.push_back({token(), position, slot, wants_logits, /*n_exact=*/1});
}

void BenchSteps::run() {
  const Tensor logits = runner_.run(rows_);
  rows_.clear();
  if (logits.n_elements() == 0) return;
  for (int64_t row = 0; row < logits.dim(0); ++row) {
    const float* begin = logits.f32() + row * logits.dim(1);
    best_ += int64_t(index_of_largest({begin, size_t(logits.dim(1))}));
  }
}

}  // namespace paro::cli
