// Which experts each row goes to. Rows are few operations each: threads share them only when there are many.
#include "backends/cpu/backend_class.h"
#include "backends/cpu/parallel.h"

namespace paro::cpu {
namespace {

// Rows that are worth waking a thread for.
constexpr int64_t kRowsAtATime = 8;

// The experts of one row, best first, and their weights.
void route_row(const Kernels& kernels, const RouteArgs& args, int64_t row, float* probabilities) {
  const int n_experts = args.experts.n_experts;
  const int64_t top_k = args.chosen.dim(1);
  int32_t* chosen = args.chosen.i32() + row * top_k;
  float* weights = args.weights.f32() + row * top_k;
  kernels.softmax(args.router_logits.f32() + row * n_experts, n_experts, probabilities);
  float sum = 0;
  for (int64_t k = 0; k < top_k; ++k) {
    int best = -1;
    for (int e = 0; e < n_experts; ++e) {
      // Chosen ones are negative. A NaN wins nothing, and the first one left stands in.
      if (!(probabilities[e] < 0) && (best < 0 || probabilities[e] > probabilities[best])) best = e;
    }
    chosen[k] = best;
    weights[k] = probabilities[best];
    sum += weights[k];
    probabilities[best] = -1;
  }
  for (int64_t k = 0; k < top_k; ++k) {
    if (args.renormalize) weights[k] /= sum;
    if (args.per_expert_scale.n > 0) weights[k] *= args.per_expert_scale.data[chosen[k]];
  }
}

// [n_threads, n_experts] probabilities
int64_t row_floats(const RouteArgs& args) { return round_up(args.experts.n_experts, 16); }

}  // namespace

int64_t CpuBackend::scratch_bytes(const RouteArgs& args) const {
  Scratch scratch;
  scratch.take<float>(n_threads() * row_floats(args));
  return scratch.used_bytes();
}

void CpuBackend::route(const RouteArgs& args, std::span<std::byte> memory) {
  Scratch scratch(memory);
  float* const probabilities = scratch.take<float>(n_threads() * row_floats(args));
  const int64_t n = args.chosen.dim(0);
  const Parts parts(n, ceil_div(n, kRowsAtATime));
  Tickets tickets;
  run_threads(pool_, parts.n_parts <= 1, [&](int thread, int) {
    tickets.run(parts.n_parts, [&](int64_t part) {
      for (int64_t row = parts.begin(part); row < parts.end(part); ++row)
        route_row(kernels_, args, row, probabilities + thread * row_floats(args));
    });
  });
}

}  // namespace paro::cpu
