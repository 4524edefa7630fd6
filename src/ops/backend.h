// What a backend is: the layout of weights and cache pages, and one kernel for each op. Models do not call it; they
// call Ops (ops.h), which checks shapes and takes outputs and scratch from the step's arena.
//
// Every row of an output is a function of its own row and the weights alone: the same operations in the same order
// whatever the other rows, the number of rows, and the number of threads. Sums over groups run in ascending order,
// experts in top-k order, attention in splits at absolute positions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "ops/batch.h"
#include "ops/weights.h"
#include "tensor/tensor.h"

namespace paro {

enum class Activation : uint8_t { gelu_tanh, silu };

// Arguments of the ops that need scratch. While a plan is made, all data pointers are null; sizes alone decide.

// y[i] = weights[i](x)
struct LinearArgs {
  Tensor x;                                // f32 [n, in]
  std::span<const Linear* const> weights;  // each [out_i, in]
  std::span<const Tensor> y;               // f32 [n, out_i]
};

// y = down(activation(gate(x)) * up(x))
struct MlpArgs {
  Tensor x;  // f32 [n, hidden]
  const Linear& gate;
  const Linear& up;
  const Linear& down;
  Activation activation;
  Tensor y;  // f32 [n, hidden]
};

// p = softmax(router_logits) over all experts; chosen: the top_k largest (ties: the lower index) in descending order;
// weights: their p, renormalised to sum 1 if asked, times per_expert_scale.
struct RouteArgs {
  Tensor router_logits;  // f32 [n, n_experts]
  const Experts& experts;
  bool renormalize;
  Vector per_expert_scale;  // [n_experts], n = 0: none
  Tensor chosen;            // i32 [n, top_k]
  Tensor weights;           // f32 [n, top_k]
};

// y = sum over the chosen experts, in their order, of weight * expert(x)
struct MoeArgs {
  Tensor x;        // f32 [n, hidden]
  Tensor chosen;   // i32 [n, top_k]
  Tensor weights;  // f32 [n, top_k]
  const Experts& experts;
  Activation activation;
  Tensor y;  // f32 [n, hidden]
};

// Causal attention over the pages of kv: key positions k <= q, and k > q - window if window > 0.
// Query head h reads key head h / (n_heads / n_kv_heads).
struct AttentionArgs {
  Tensor q;  // f32 [n, n_heads, head_dim]
  const KvLayer& kv;
  const Batch& batch;
  float scale;
  int window;       // 0: the whole context
  int max_context;  // upper bound of positions + 1, for the size of scratch
  Tensor y;         // f32 [n, n_heads, head_dim]
};

// logits = softcap(table x): tanh(l / cap) * cap if cap > 0. Of a row with n_exact k, a logit that is less than the
// k-th best may come out as any smaller number.
struct HeadArgs {
  Tensor x;  // f32 [n, cols]
  const Table& table;
  float softcap;
  Tensor logits;                          // f32 [n, rows]
  std::span<const int32_t> n_exact = {};  // [n], 0: all; empty: all of all rows
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;  // "cpu (avx512vnni, 2 threads)"
  virtual int n_threads() const = 0;     // what loading may use as well
  virtual KvType default_kv_type() const = 0;
  virtual TableType default_head_type() const = 0;

  // Calls body(i, lane) for i of [0, n_lanes), at most n_threads(), at once where there are threads. `lane` is a
  // backend of one thread for the same weights and caches, and gives the same bits; the bodies alone use it. What one
  // of them throws is thrown when all have ended.
  virtual void run_lanes(int n_lanes, const std::function<void(int i, Backend& lane)>& body) = 0;

  // Layout of weights. Packing is re-entrant; pieces of one weight may be packed by several threads at once. Packed
  // weights are aligned to Buffer::kAlignment and start out zeroed.
  virtual int64_t packed_bytes(const MatrixSpec& spec) const = 0;
  virtual int64_t packed_bytes(const RotationSpec& spec) const = 0;
  virtual int64_t packed_bytes(const TableSpec& spec) const = 0;
  virtual int64_t packed_bytes(const ExpertSpec& spec) const = 0;
  virtual void pack(const MatrixSpec& spec, const MatrixPiece& piece, std::byte* packed) const = 0;
  virtual void pack(const RotationSpec& spec, const StoredRotation& stored, std::byte* packed) const = 0;
  virtual void pack(const TableSpec& spec, const TablePiece& piece, std::byte* packed) const = 0;
  virtual void pack(const ExpertSpec& spec, ExpertPart part, const MatrixPiece& piece, std::byte* packed) const = 0;

  // Bytes of a packed table that `head` reads at the least for n_exact best logits, 0: all.
  virtual int64_t head_bytes(const TableSpec& spec, int n_exact) const = 0;

  // Bytes of one cache page: keys and values of kPageTokens tokens of one layer.
  virtual int64_t page_bytes(const KvSpec& spec) const = 0;

  // Scratch that an op takes, by shape. It does not shrink when rows or context grow.
  virtual int64_t scratch_bytes(const LinearArgs& args) const = 0;
  virtual int64_t scratch_bytes(const MlpArgs& args) const = 0;
  virtual int64_t scratch_bytes(const RouteArgs& args) const = 0;
  virtual int64_t scratch_bytes(const MoeArgs& args) const = 0;
  virtual int64_t scratch_bytes(const AttentionArgs& args) const = 0;
  virtual int64_t scratch_bytes(const HeadArgs& args) const = 0;

  // Which experts the rows go to.
  virtual void route(const RouteArgs& args, std::span<std::byte> scratch) = 0;

  // Matrix products.
  virtual void linear(const LinearArgs& args, std::span<std::byte> scratch) = 0;
  virtual void mlp(const MlpArgs& args, std::span<std::byte> scratch) = 0;
  virtual void moe(const MoeArgs& args, std::span<std::byte> scratch) = 0;
  virtual void head(const HeadArgs& args, std::span<std::byte> scratch) = 0;

  // Keys k and values v, f32 [n, n_kv_heads, head_dim], into the pages of their positions; then attention over them.
  virtual void append_kv(Tensor k, Tensor v, const KvLayer& kv, const Batch& batch) = 0;
  virtual void attention(const AttentionArgs& args, std::span<std::byte> scratch) = 0;

  // y[r] = table[ids[r]] * scale, f32 [n, cols].
  virtual void embedding(const Table& table, std::span<const int32_t> ids, float scale, Tensor y) = 0;

  // y = x / sqrt(mean(x^2) + eps) * weight over the last dim; no weight: times 1. y may be x.
  virtual void rms_norm(Tensor x, Vector weight, float eps, Tensor y) = 0;
  // into += rms_norm(x)
  virtual void add_rms_norm(Tensor into, Tensor x, Vector weight, float eps) = 0;

  // table[r, i] = (cos, sin) of positions[r] * inv_freq[i], f32 [n, head_dim / 2, 2].
  virtual void rope_table(std::span<const int32_t> positions, Vector inv_freq, Tensor table) = 0;
  // x f32 [n, n_heads, head_dim], pairs (i, i + head_dim / 2) turned in place.
  virtual void rope(Tensor x, Tensor table) = 0;

  virtual void add(Tensor into, Tensor x) = 0;       // into += x
  virtual void scale(Tensor x, float factor) = 0;    // x *= factor
  virtual void scale(Tensor x, Vector factors) = 0;  // x *= factors over the last dim, or by the one factor
  virtual void glu(Activation activation, Tensor gate, Tensor up, Tensor y) = 0;  // y = activation(gate) * up
  virtual void take_rows(Tensor x, std::span<const int32_t> rows, Tensor y) = 0;  // y[i] = x[rows[i]]
  virtual void take_slice(Tensor x, int64_t index, Tensor y) = 0;                 // y [n, p] = x [n, m, p] at m = index
};

}  // namespace paro
