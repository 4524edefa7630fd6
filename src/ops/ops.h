// What model code is written in: each op checks shapes, takes its output and scratch from the step's arena and calls
// the backend. n stands for the rows of the step; all activations are float32.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

#include "ops/arena.h"
#include "ops/backend.h"
#include "ops/batch.h"
#include "ops/weights.h"
#include "ops/work.h"
#include "tensor/tensor.h"

namespace paro {

class Ops {
 public:
  // `work`: what the products of the steps come to is added to it.
  Ops(Backend& backend, Arena& arena, int max_context, Work* work = nullptr)
      : backend_(backend), arena_(arena), max_context_(max_context), work_(work) {}

  // What is taken after it is given back at its end. What must outlive a scope is taken before it.
  [[nodiscard]] Arena::Scope scope() { return Arena::Scope(arena_); }

  Tensor embedding(const Table& table, std::span<const int32_t> ids, float scale);  // [n, cols]

  Tensor linear(Tensor x, const Linear& w);  // x [n, in] -> [n, out]
  // Several weights on one input: q, k and v.
  template <size_t N>
  std::array<Tensor, N> linears(Tensor x, const std::array<const Linear*, N>& weights) {
    std::array<Tensor, N> y;
    for (size_t i = 0; i < N; ++i) y[i] = arena_.tensor(DType::f32, {x.dim(0), weights[i]->spec.out});
    run_linears(x, weights, y);
    return y;
  }

  Tensor mlp(Tensor x, const Linear& gate, const Linear& up, const Linear& down, Activation activation);  // [n, hidden]

  // How a router's logits become a choice of experts.
  struct Router {
    int top_k = 1;
    bool renormalize = true;
    Vector per_expert_scale;
  };
  struct Routing {
    Tensor chosen;   // i32 [n, top_k]
    Tensor weights;  // f32 [n, top_k]

    std::span<const int32_t> experts_of_rows() const { return {chosen.i32(), size_t(chosen.n_elements())}; }
  };
  // Experts that are not in memory are fetched from here on: the earlier a model routes, the more it computes
  // meanwhile.
  Routing route(Tensor router_logits, const Experts& experts, const Router& router);
  Tensor moe(Tensor x, const Routing& routing, const Experts& experts, Activation activation);  // [n, hidden]

  // A guess at what a later layer will choose is worth its cost where experts are streamed. A plan counts it.
  bool is_streamed(const Experts& experts) const { return experts.source == nullptr || experts.source->is_streamed(); }
  void expect(Tensor router_logits, const Experts& experts, const Router& router);

  // x [n, cols] -> [n, rows], in `logits` if that is given; n_exact as in HeadArgs
  Tensor head(Tensor x, const Table& table, float softcap, std::span<const int32_t> n_exact = {},
              std::optional<Tensor> logits = {});

  Tensor rms_norm(Tensor x, Vector weight, float eps);                 // like x; norm over the last dim
  void add_rms_norm(Tensor into, Tensor x, Vector weight, float eps);  // into += rms_norm(x)

  Tensor rope_table(std::span<const int32_t> positions, Vector inv_freq);  // [n, head_dim / 2, 2]
  void rope(Tensor x, Tensor table);                                       // x [n, n_heads, head_dim], in place

  void append_kv(Tensor k, Tensor v, const KvLayer& kv, const Batch& batch);  // [n, n_kv_heads, head_dim]
  Tensor attention(Tensor q, const KvLayer& kv, const Batch& batch, float scale, int window);  // like q

  void add(Tensor into, Tensor x);
  void scale(Tensor x, float factor);
  void scale(Tensor x, Vector factors);  // [last dim] or one
  Tensor glu(Activation activation, Tensor gate, Tensor up);
  Tensor take_rows(Tensor x, std::span<const int32_t> rows);
  Tensor take_slice(Tensor x, int64_t index);  // x [n, m, p] -> [n, p]

 private:
  void embed_read_rows(const Table& table, std::span<const int32_t> ids, float scale, Tensor y);
  Routing run_route(Tensor router_logits, const Experts& experts, const Router& router);
  void run_linears(Tensor x, std::span<const Linear* const> weights, std::span<const Tensor> y);

  Backend& backend_;
  Arena& arena_;
  int max_context_;
  Work* work_;
};

}  // namespace paro
