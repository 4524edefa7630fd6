#include "backends/reference/attention.h"

#include <algorithm>
#include <cmath>

namespace paro::reference {
namespace {

// The key of one position and head; its value lies half a page further.
float* key_of(const KvLayer& kv, const Batch& batch, int32_t sequence, int32_t position, int64_t head) {
  const int32_t page = batch.table(kv.kind).page(sequence, position);
  auto* base = reinterpret_cast<float*>(kv.pages + page * page_bytes(kv.spec));
  return base + (position % kPageTokens * kv.spec.n_kv_heads + head) * kv.spec.head_dim;
}

int64_t value_offset(const KvSpec& spec) { return int64_t(kPageTokens) * spec.n_kv_heads * spec.head_dim; }

}  // namespace

int64_t page_bytes(const KvSpec& spec) { return 2 * value_offset(spec) * 4; }

void append_kv(Tensor k, Tensor v, const KvLayer& kv, const Batch& batch) {
  const int64_t n_heads = kv.spec.n_kv_heads, head_dim = kv.spec.head_dim;
  for (int64_t row = 0; row < batch.n_rows(); ++row) {
    for (int64_t head = 0; head < n_heads; ++head) {
      float* key = key_of(kv, batch, batch.sequences[size_t(row)], batch.positions[size_t(row)], head);
      const int64_t source = (row * n_heads + head) * head_dim;
      std::copy_n(k.f32() + source, head_dim, key);
      std::copy_n(v.f32() + source, head_dim, key + value_offset(kv.spec));
    }
  }
}

int64_t scratch_bytes(const AttentionArgs& args) { return int64_t(args.max_context) * 4; }

void attention(const AttentionArgs& args, std::span<std::byte> scratch) {
  auto* p = reinterpret_cast<float*>(scratch.data());  // [n_keys]
  const KvSpec& spec = args.kv.spec;
  const int64_t n_heads = args.q.dim(1), head_dim = spec.head_dim;
  for (int64_t row = 0; row < args.q.dim(0); ++row) {
    const int32_t sequence = args.batch.sequences[size_t(row)];
    const int32_t position = args.batch.positions[size_t(row)];
    const int32_t first = args.window > 0 ? std::max(0, position - args.window + 1) : 0;
    for (int64_t head = 0; head < n_heads; ++head) {
      const int64_t kv_head = head / (n_heads / spec.n_kv_heads);
      const float* q = args.q.f32() + (row * n_heads + head) * head_dim;
      float* y = args.y.f32() + (row * n_heads + head) * head_dim;

      float largest = -INFINITY;
      for (int32_t k = first; k <= position; ++k) {
        const float* key = key_of(args.kv, args.batch, sequence, k, kv_head);
        float dot = 0;
        for (int64_t i = 0; i < head_dim; ++i) dot += q[i] * key[i];
        p[k - first] = dot * args.scale;
        largest = std::max(largest, p[k - first]);
      }
      float sum = 0;
      for (int32_t k = first; k <= position; ++k) sum += p[k - first] = std::exp(p[k - first] - largest);
      std::fill_n(y, head_dim, 0.0f);
      for (int32_t k = first; k <= position; ++k) {
        const float* value = key_of(args.kv, args.batch, sequence, k, kv_head) + value_offset(spec);
        for (int64_t i = 0; i < head_dim; ++i) y[i] += p[k - first] / sum * value[i];
      }
    }
  }
}

}  // namespace paro::reference
