#include "ops/ops.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace paro {
namespace {

void check_shape(const Tensor& x, const Shape& expected) {
  PARO_CHECK(x.dtype == DType::f32 && x.shape == expected, "{} instead of {}", to_string(x.shape), to_string(expected));
}

}  // namespace

// A kernel runs unless memory is only being counted.
#define PARO_RUN(call) \
  if (!arena_.counts_only()) backend_.call

Tensor Ops::embedding(const Table& table, std::span<const int32_t> ids, float scale) {
  const Tensor y = arena_.tensor(DType::f32, {int64_t(ids.size()), table.spec.cols});
  if (table.rows_are_read) {
    embed_read_rows(table, ids, scale, y);
  } else {
    PARO_RUN(embedding(table, ids, scale, y));
  }
  return y;
}

// Rows that are read make a small table of their own, packed as the whole one would be.
void Ops::embed_read_rows(const Table& table, std::span<const int32_t> ids, float scale, Tensor y) {
  Table own;
  own.spec = table.spec;
  own.spec.rows = int64_t(ids.size());
  const auto memory_scope = scope();
  const auto stored = arena_.take(own.spec.rows * own.spec.stored_row_bytes());
  const auto packed = arena_.take(backend_.packed_bytes(own.spec));
  const Tensor places = arena_.tensor(DType::i32, {own.spec.rows});
  if (arena_.counts_only()) return;
  for (const int32_t id : ids) PARO_CHECK(id >= 0 && id < table.spec.rows, "token {} of {}", id, table.spec.rows);
  table.source->read_rows(table.source_table, ids, stored);
  std::fill(packed.begin(), packed.end(), std::byte{0});
  backend_.pack(own.spec, TablePiece{0, own.spec.rows, stored.data()}, packed.data());
  own.packed = packed.data();
  const std::span<int32_t> own_ids(places.i32(), ids.size());
  std::iota(own_ids.begin(), own_ids.end(), 0);
  backend_.embedding(own, own_ids, scale, y);
}

Tensor Ops::linear(Tensor x, const Linear& w) { return linears<1>(x, {&w})[0]; }

void Ops::run_linears(Tensor x, std::span<const Linear* const> weights, std::span<const Tensor> y) {
  for (const Linear* w : weights) check_shape(x, {x.dim(0), w->spec.in});
  if (work_ != nullptr) {
    for (const Linear* w : weights) work_->add(w->spec, x.dim(0));
  }
  const LinearArgs args{x, weights, y};
  const auto scratch_scope = scope();
  const auto scratch = arena_.take(backend_.scratch_bytes(args));
  PARO_RUN(linear(args, scratch));
}

Tensor Ops::mlp(Tensor x, const Linear& gate, const Linear& up, const Linear& down, Activation activation) {
  check_shape(x, {x.dim(0), gate.spec.in});
  PARO_CHECK(up.spec.out == gate.spec.out && up.spec.in == gate.spec.in && down.spec.in == gate.spec.out);
  if (work_ != nullptr) {
    for (const Linear* w : {&gate, &up, &down}) work_->add(w->spec, x.dim(0));
  }
  const Tensor y = arena_.tensor(DType::f32, {x.dim(0), down.spec.out});
  const MlpArgs args{x, gate, up, down, activation, y};
  const auto scratch_scope = scope();
  const auto scratch = arena_.take(backend_.scratch_bytes(args));
  PARO_RUN(mlp(args, scratch));
  return y;
}

Ops::Routing Ops::run_route(Tensor router_logits, const Experts& experts, const Router& router) {
  check_shape(router_logits, {router_logits.dim(0), experts.n_experts});
  PARO_CHECK(router.top_k >= 1 && router.top_k <= experts.n_experts);
  const Shape shape{router_logits.dim(0), router.top_k};
  const Routing routing{arena_.tensor(DType::i32, shape), arena_.tensor(DType::f32, shape)};
  const RouteArgs args{router_logits,           experts,        router.renormalize,
                       router.per_expert_scale, routing.chosen, routing.weights};
  const auto scratch_scope = scope();
  const auto scratch = arena_.take(backend_.scratch_bytes(args));
  PARO_RUN(route(args, scratch));
  return routing;
}

Ops::Routing Ops::route(Tensor router_logits, const Experts& experts, const Router& router) {
  const Routing routing = run_route(router_logits, experts, router);
  if (!arena_.counts_only() && is_streamed(experts)) {
    experts.source->request(experts.layer, routing.experts_of_rows(), routing.chosen.dim(0));
  }
  return routing;
}

void Ops::expect(Tensor router_logits, const Experts& experts, const Router& router) {
  const auto own_scope = scope();
  const Routing routing = run_route(router_logits, experts, router);
  if (!arena_.counts_only()) {
    experts.source->expect(experts.layer, routing.experts_of_rows(), routing.chosen.dim(0));
  }
}

Tensor Ops::moe(Tensor x, const Routing& routing, const Experts& experts, Activation activation) {
  check_shape(x, {x.dim(0), experts.spec.hidden});
  PARO_CHECK(routing.chosen.dim(0) == x.dim(0), "{} rows are routed, {} given", routing.chosen.dim(0), x.dim(0));
  if (work_ != nullptr) {
    const ExpertSpec& e = experts.spec;
    for (const MatrixSpec& spec : {e.gate(), e.gate(), e.down()}) work_->add(spec, x.dim(0) * routing.chosen.dim(1));
  }
  const Tensor y = arena_.tensor(DType::f32, x.shape);
  const MoeArgs args{x, routing.chosen, routing.weights, experts, activation, y};
  const auto scratch_scope = scope();
  const auto scratch = arena_.take(backend_.scratch_bytes(args));
  PARO_RUN(moe(args, scratch));
  return y;
}

Tensor Ops::head(Tensor x, const Table& table, float softcap, std::span<const int32_t> n_exact,
                 std::optional<Tensor> logits) {
  const Shape shape{x.dim(0), table.spec.rows};
  check_shape(x, {x.dim(0), table.spec.cols});
  if (logits) check_shape(*logits, shape);
  PARO_CHECK(n_exact.empty() || int64_t(n_exact.size()) == x.dim(0), "{} of {} rows", n_exact.size(), x.dim(0));
  if (work_ != nullptr) work_->add(table.spec, x.dim(0));
  const HeadArgs args{x, table, softcap, logits ? *logits : arena_.tensor(DType::f32, shape), n_exact};
  const auto scratch_scope = scope();
  const auto scratch = arena_.take(backend_.scratch_bytes(args));
  PARO_RUN(head(args, scratch));
  return args.logits;
}

Tensor Ops::rms_norm(Tensor x, Vector weight, float eps) {
  PARO_CHECK(weight.n == 0 || weight.n == x.shape.last());
  const Tensor y = arena_.tensor(DType::f32, x.shape);
  PARO_RUN(rms_norm(x, weight, eps, y));
  return y;
}

void Ops::add_rms_norm(Tensor into, Tensor x, Vector weight, float eps) {
  check_shape(into, x.shape);
  PARO_CHECK(weight.n == x.shape.last());
  PARO_RUN(add_rms_norm(into, x, weight, eps));
}

Tensor Ops::rope_table(std::span<const int32_t> positions, Vector inv_freq) {
  const Tensor table = arena_.tensor(DType::f32, {int64_t(positions.size()), inv_freq.n, 2});
  PARO_RUN(rope_table(positions, inv_freq, table));
  return table;
}

void Ops::rope(Tensor x, Tensor table) {
  check_shape(table, {x.dim(0), x.dim(2) / 2, 2});
  PARO_RUN(rope(x, table));
}

void Ops::append_kv(Tensor k, Tensor v, const KvLayer& kv, const Batch& batch) {
  check_shape(k, {batch.n_rows(), kv.spec.n_kv_heads, kv.spec.head_dim});
  check_shape(v, k.shape);
  PARO_RUN(append_kv(k, v, kv, batch));
}

Tensor Ops::attention(Tensor q, const KvLayer& kv, const Batch& batch, float scale, int window) {
  check_shape(q, {batch.n_rows(), q.dim(1), kv.spec.head_dim});
  PARO_CHECK(q.dim(1) % kv.spec.n_kv_heads == 0);
  const Tensor y = arena_.tensor(DType::f32, q.shape);
  const AttentionArgs args{q, kv, batch, scale, window, max_context_, y};
  const auto scratch_scope = scope();
  const auto scratch = arena_.take(backend_.scratch_bytes(args));
  PARO_RUN(attention(args, scratch));
  return y;
}

void Ops::add(Tensor into, Tensor x) {
  check_shape(into, x.shape);
  PARO_RUN(add(into, x));
}

void Ops::scale(Tensor x, float factor) { PARO_RUN(scale(x, factor)); }

void Ops::scale(Tensor x, Vector factors) {
  PARO_CHECK(factors.n == 1 || factors.n == x.shape.last());
  PARO_RUN(scale(x, factors));
}

Tensor Ops::glu(Activation activation, Tensor gate, Tensor up) {
  check_shape(up, gate.shape);
  const Tensor y = arena_.tensor(DType::f32, gate.shape);
  PARO_RUN(glu(activation, gate, up, y));
  return y;
}

Tensor Ops::take_rows(Tensor x, std::span<const int32_t> rows) {
  const Tensor y = arena_.tensor(DType::f32, {int64_t(rows.size()), x.dim(1)});
  PARO_RUN(take_rows(x, rows, y));
  return y;
}

Tensor Ops::take_slice(Tensor x, int64_t index) {
  PARO_CHECK(x.shape.rank() == 3 && index >= 0 && index < x.dim(1));
  const Tensor y = arena_.tensor(DType::f32, {x.dim(0), x.dim(2)});
  PARO_RUN(take_slice(x, index, y));
  return y;
}

#undef PARO_RUN

}  // namespace paro
