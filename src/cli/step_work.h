// What the products of a step come to, by running the model without memory.
#pragma once

#include "engine/model_runner.h"
#include "ops/work.h"

namespace paro::cli {

// Of n_rows rows, n_logit_rows of which want logits. `backend` is the runner's.
Work step_work(const ModelRunner& runner, KvCache& cache, Backend& backend, const EngineOptions& options, int n_rows,
               int n_logit_rows);

}  // namespace paro::cli
