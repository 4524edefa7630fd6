// Timed steps of random tokens: what they are makes no difference to dense layers, and spreads over the experts.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "engine/model_runner.h"

namespace paro::cli {

class BenchSteps {
 public:
  explicit BenchSteps(ModelRunner& runner) : runner_(runner) {}

  // A prompt of n_tokens in steps as large as the plan has them.
  double prefill_seconds(int n_tokens);

  // n_tokens steps of one token of each of `batch` sequences, each after `depth` others. Those are not computed: the
  // cache holds whatever it held, which takes as long to read.
  double decode_seconds(int batch, int depth, int n_tokens);

  // n_steps steps of mixed_chunk(batch) tokens of one prompt and a token of each of `batch` other sequences.
  double mixed_seconds(int batch, int n_steps);
  int mixed_chunk(int batch) const;

  static constexpr int kMixedChunk = 256;

 private:
  int32_t token() { return int32_t(random_() % uint64_t(runner_.spec().vocab_size)); }
  std::vector<int> open(int n_sequences, int n_tokens);
  void close(const std::vector<int>& slots);
  void fill(int slot, int n_tokens);
  void add_row(int slot, int position, bool wants_logits);
  void run();

  ModelRunner& runner_;
  std::mt19937_64 random_{1};
  std::vector<StepRow> rows_;
  int64_t best_ = 0;  // sampling is greedy, and part of a step
};

}  // namespace paro::cli
