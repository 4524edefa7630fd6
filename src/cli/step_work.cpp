#include "cli/step_work.h"

#include <vector>

#include "models/model.h"

namespace paro::cli {

Work step_work(const ModelRunner& runner, KvCache& cache, Backend& backend, const EngineOptions& options, int n_rows,
               int n_logit_rows) {
  const SafetensorsFiles files = SafetensorsFiles::open(options.model);
  WeightBinder binder(backend, runner.config(), &files, nullptr,
                      {.head_type = options.head_type.value_or(backend.default_head_type())});
  const auto model = find_architecture(runner.config()).make(runner.config(), binder);

  const auto zeros = [](int n) { return std::vector<int32_t>(size_t(n), 0); };
  const std::vector<int32_t> rows = zeros(n_rows), logits = zeros(n_logit_rows);
  const auto batch = [](const std::vector<int32_t>& r) { return Batch{r, r, r, {}}; };
  Work work;
  Arena arena;
  Ops ops(backend, arena, runner.report().max_context, &work);
  model->forward(ops, {batch(rows), batch(logits), logits, {}, cache.layers()});
  return work;
}

}  // namespace paro::cli
