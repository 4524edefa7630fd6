// What a decode step reads of packed weights and of caches, counted from their shapes: the measure that decoding is
// held against.
#pragma once

#include "engine/model_runner.h"
#include "models/weight_binder.h"

namespace paro::cli {

// Packed bytes that a decode step reads at least once.
struct StepBytes {
  double weights = 0;
  double experts = 0;  // in expectation, when every expert is as likely as any other
  double kv = 0;       // of all sequences

  double total() const { return weights + experts + kv; }
};

// Of a greedy step with one token of each of n_sequences, caches left out. `bound` has the model's weights, with files
// or without.
StepBytes weight_step_bytes(const WeightBinder& bound, const Backend& backend, const ModelSpec& spec, int n_sequences);

// The same with caches, each token after n_context others.
StepBytes step_bytes(const ModelRunner& runner, KvCache& cache, const EngineOptions& options, int n_sequences,
                     int n_context);

}  // namespace paro::cli
