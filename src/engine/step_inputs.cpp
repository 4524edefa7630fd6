#include "engine/step_inputs.h"

namespace paro {

void StepInputs::Rows::reserve(size_t n) {
  for (auto* v : {&tokens, &positions, &sequences}) v->reserve(n);
}

void StepInputs::Rows::clear() {
  for (auto* v : {&tokens, &positions, &sequences}) v->clear();
}

void StepInputs::Rows::push(const StepRow& row) {
  tokens.push_back(row.token);
  positions.push_back(row.position);
  sequences.push_back(row.slot);
}

StepInputs::StepInputs(int max_rows, int max_logit_rows) {
  rows_.reserve(size_t(max_rows));
  final_rows_.reserve(size_t(max_rows));
  final_indices_.reserve(size_t(max_rows));
  logit_indices_.reserve(size_t(max_logit_rows));
  n_exact_.reserve(size_t(max_logit_rows));
}

void StepInputs::set(std::span<const StepRow> rows) {
  rows_.clear();
  final_rows_.clear();
  final_indices_.clear();
  logit_indices_.clear();
  n_exact_.clear();
  for (size_t i = 0; i < rows.size(); ++i) {
    rows_.push(rows[i]);
    if (!rows[i].wants_logits && !rows[i].wants_hidden) continue;
    if (rows[i].wants_logits) {
      logit_indices_.push_back(int32_t(final_indices_.size()));
      n_exact_.push_back(rows[i].n_exact);
    }
    final_rows_.push(rows[i]);
    final_indices_.push_back(int32_t(i));
  }
}

Step StepInputs::step(const std::array<BlockTable, kCacheKinds>& tables, std::span<const KvLayer> kv) const {
  Step step{.rows = rows_.batch(tables),
            .final_rows = final_rows_.batch(tables),
            .final_indices = final_indices_,
            .n_exact = n_exact_,
            .kv = kv};
  if (logit_indices_.size() < final_indices_.size()) step.logit_indices = logit_indices_;
  return step;
}

}  // namespace paro
