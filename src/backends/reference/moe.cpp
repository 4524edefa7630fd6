#include "backends/reference/moe.h"

#include <algorithm>
#include <cmath>

#include "backends/reference/elementwise.h"
#include "backends/reference/matmul.h"

namespace paro::reference {

int64_t packed_bytes(const ExpertSpec& spec) { return 2 * packed_bytes(spec.gate()) + packed_bytes(spec.down()); }

void pack(const ExpertSpec& spec, ExpertPart part, const MatrixPiece& piece, std::byte* packed) {
  const int64_t gate_bytes = packed_bytes(spec.gate());
  switch (part) {
    case ExpertPart::gate:
      return pack(spec.gate(), piece, packed);
    case ExpertPart::up:
      return pack(spec.gate(), piece, packed + gate_bytes);
    case ExpertPart::down:
      return pack(spec.down(), piece, packed + 2 * gate_bytes);
  }
}

int64_t scratch_bytes(const RouteArgs& args) { return 4 * int64_t(args.experts.n_experts); }

void route(const RouteArgs& args, std::span<std::byte> scratch) {
  const int n_experts = args.experts.n_experts;
  const int64_t top_k = args.chosen.dim(1);
  auto* probability = reinterpret_cast<float*>(scratch.data());  // [n_experts]
  for (int64_t row = 0; row < args.chosen.dim(0); ++row) {
    const float* logits = args.router_logits.f32() + row * n_experts;
    int32_t* chosen = args.chosen.i32() + row * top_k;
    float* weights = args.weights.f32() + row * top_k;
    const float largest = *std::max_element(logits, logits + n_experts);
    float sum = 0;
    for (int e = 0; e < n_experts; ++e) sum += probability[e] = std::exp(logits[e] - largest);
    for (int e = 0; e < n_experts; ++e) probability[e] /= sum;

    float chosen_sum = 0;
    for (int64_t k = 0; k < top_k; ++k) {
      const auto best = int32_t(std::max_element(probability, probability + n_experts) - probability);
      chosen[k] = best;
      weights[k] = probability[best];
      chosen_sum += probability[best];
      probability[best] = -1;
    }
    for (int64_t k = 0; k < top_k; ++k) {
      if (args.renormalize) weights[k] /= chosen_sum;
      if (args.per_expert_scale.n) weights[k] *= args.per_expert_scale.data[chosen[k]];
    }
  }
}

int64_t scratch_bytes(const MoeArgs& args) {
  const ExpertSpec& spec = args.experts.spec;
  return 4 * (2 * spec.hidden + 3 * spec.intermediate);
}

void moe(const MoeArgs& args, std::span<std::byte> scratch) {
  const Experts& experts = args.experts;
  const ExpertSpec& spec = experts.spec;
  const int64_t top_k = args.chosen.dim(1);
  auto* rotated_x = reinterpret_cast<float*>(scratch.data());  // [hidden]
  float* out = rotated_x + spec.hidden;                        // [hidden]
  float* gate = out + spec.hidden;                             // [intermediate]
  float* up = gate + spec.intermediate;                        // [intermediate]
  float* rotated_h = up + spec.intermediate;                   // [intermediate]
  const int64_t gate_bytes = packed_bytes(spec.gate());

  for (int64_t row = 0; row < args.x.dim(0); ++row) {
    rotate(experts.gate_up, spec.hidden, args.x.f32() + row * spec.hidden, rotated_x);
    float* y = args.y.f32() + row * spec.hidden;
    std::fill_n(y, spec.hidden, 0.0f);
    for (int64_t k = 0; k < top_k; ++k) {
      int32_t expert = args.chosen.i32()[row * top_k + k];
      const std::byte* packed = nullptr;
      experts.source->hold(experts.layer, {&expert, 1}, {&packed, 1});
      matvec(spec.gate(), packed, rotated_x, gate);
      matvec(spec.gate(), packed + gate_bytes, rotated_x, up);
      for (int64_t i = 0; i < spec.intermediate; ++i) gate[i] = activate(args.activation, gate[i]) * up[i];
      rotate(experts.down, spec.intermediate, gate, rotated_h);
      matvec(spec.down(), packed + 2 * gate_bytes, rotated_h, out);
      const float weight = args.weights.f32()[row * top_k + k];
      for (int64_t i = 0; i < spec.hidden; ++i) y[i] += weight * out[i];
      experts.source->release(experts.layer, {&expert, 1});
    }
  }
}

}  // namespace paro::reference
