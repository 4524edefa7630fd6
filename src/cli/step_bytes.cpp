#include "cli/step_bytes.h"

#include <algorithm>
#include <cmath>

#include "models/model.h"

namespace paro::cli {
namespace {

int64_t bytes_of(const Backend& backend, const MatrixLoad& m) { return m.expert ? 0 : backend.packed_bytes(m.spec); }
int64_t bytes_of(const Backend& backend, const RotationLoad& r) { return backend.packed_bytes(r.spec); }
int64_t bytes_of(const Backend& backend, const TableLoad& t) {
  if (t.is_head) return backend.head_bytes(t.spec, /*n_exact=*/1);
  return backend.packed_bytes(t.spec) / std::max<int64_t>(1, t.spec.rows);
}
int64_t bytes_of(const Backend&, const VectorLoad& v) { return v.stored ? v.stored->shape.n_elements() * 4 : 0; }
int64_t bytes_of(const Backend&, const ConstantLoad& c) { return int64_t(c.values.size()) * 4; }

}  // namespace

StepBytes weight_step_bytes(const WeightBinder& bound, const Backend& backend, const ModelSpec& spec, int n_sequences) {
  StepBytes bytes;
  for (const WeightLoad& load : bound.loads()) {
    bytes.weights += double(std::visit([&](const auto& what) { return bytes_of(backend, what); }, load.what));
  }
  // Without files, how long a vector is stands here alone.
  for (const WantedTensor& wanted : bound.wanted()) {
    if (wanted.part == TensorPart::vector) bytes.weights += double(wanted.shape.n_elements() * 4);
  }
  for (const ExpertRegion& region : bound.expert_regions()) {
    const double missed = std::pow(1.0 - double(spec.experts_per_token) / region.n_experts, n_sequences);
    bytes.experts += double(region.expert_bytes) * region.n_experts * (1 - missed);
  }
  return bytes;
}

StepBytes step_bytes(const ModelRunner& runner, KvCache& cache, const EngineOptions& options, int n_sequences,
                     int n_context) {
  const Backend& backend = runner.backend();
  const ModelSpec& spec = runner.spec();
  const SafetensorsFiles files = SafetensorsFiles::open(options.model);
  WeightBinder binder(backend, runner.config(), &files, nullptr,
                      {.head_type = options.head_type.value_or(backend.default_head_type()),
                       .embedding_type = options.embedding_type.value_or(TableType::as_stored)});
  find_architecture(runner.config()).make(runner.config(), binder);

  StepBytes bytes = weight_step_bytes(binder, backend, spec, n_sequences);
  for (const KvLayer& layer : cache.layers()) {
    const int n_seen = layer.kind == CacheKind::sliding ? std::min(n_context, spec.sliding_window) : n_context;
    bytes.kv += double(backend.page_bytes(layer.spec)) / kPageTokens * n_seen * n_sequences;
  }
  return bytes;
}

}  // namespace paro::cli
