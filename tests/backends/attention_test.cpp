// Attention over pages that lie in any order among pages of NaN.
#include <fmt/format.h>

#include <algorithm>

#include "op_test.h"

namespace paro::test {
namespace {

struct Geometry {
  int n_heads = 4;
  int n_kv_heads = 2;
  int head_dim = 64;
  KvType type = KvType::f16;
};

// The cache of a few sequences on one backend.
class Cache {
 public:
  Cache(Backend& backend, const Geometry& g, int n_sequences, int max_tokens)
      : backend_(backend),
        g_(g),
        max_blocks_((max_tokens + kPageTokens - 1) / kPageTokens),
        max_context_(max_tokens),
        layer_{{g.n_kv_heads, g.head_dim, g.type}, CacheKind::full, nullptr},
        memory_(backend.page_bytes(layer_.spec) * max_blocks_ * n_sequences),
        table_(size_t(n_sequences * max_blocks_), 0) {
    layer_.pages = memory_.data();
    for (size_t i = 0; i < table_.size(); ++i) table_[i] = int32_t(i);
    std::shuffle(table_.begin(), table_.end(), std::mt19937(7));
  }

  Batch batch(std::span<const int32_t> positions, std::span<const int32_t> sequences) const {
    Batch b;
    b.positions = positions;
    b.sequences = sequences;
    b.tables[0] = {table_.data(), max_blocks_};
    return b;
  }

  void append(std::vector<float> k, std::vector<float> v, std::span<const int32_t> positions,
              std::span<const int32_t> sequences) {
    const Shape shape{int64_t(positions.size()), g_.n_kv_heads, g_.head_dim};
    backend_.append_kv(view(k, shape), view(v, shape), layer_, batch(positions, sequences));
  }

  std::vector<float> attend(std::vector<float> q, std::span<const int32_t> positions,
                            std::span<const int32_t> sequences, int window) {
    const Shape shape{int64_t(positions.size()), g_.n_heads, g_.head_dim};
    Output y(shape);
    const Batch rows = batch(positions, sequences);
    const AttentionArgs args{view(q, shape), layer_, rows, 0.11f, window, max_context_, y.tensor()};
    Guarded scratch(backend_.scratch_bytes(args));
    backend_.attention(args, scratch.bytes());
    return y.values();
  }

 private:
  Backend& backend_;
  Geometry g_;
  int64_t max_blocks_;
  int max_context_;
  KvLayer layer_;
  Guarded memory_;
  std::vector<int32_t> table_;
};

std::vector<int32_t> range(int begin, int end) {
  std::vector<int32_t> v;
  for (int i = begin; i < end; ++i) v.push_back(i);
  return v;
}

// What rounding keys, then values, to the cache's format may change: scores are of order 1.
float tolerance(KvType type) { return type == KvType::f32 ? 2e-6f : type == KvType::f16 ? 2e-3f : 4e-2f; }

class CpuAttention : public CpuOps {
 protected:
  // Tokens [0, n) of one sequence, appended and attended in one step.
  void compare(const Geometry& g, int n, int window) {
    const std::string what = fmt::format("{} rows, heads {}/{} of {}, type {}, window {}", n, g.n_heads, g.n_kv_heads,
                                         g.head_dim, int(g.type), window);
    Geometry exact_geometry = g;
    exact_geometry.type = KvType::f32;
    Cache fast(*backend_, g, 1, n);
    Cache exact(*reference_, exact_geometry, 1, n);
    const auto k = normals(random_, int64_t(n) * g.n_kv_heads * g.head_dim);
    const auto v = normals(random_, int64_t(n) * g.n_kv_heads * g.head_dim);
    const auto q = normals(random_, int64_t(n) * g.n_heads * g.head_dim);
    const auto positions = range(0, n);
    const std::vector<int32_t> sequences(size_t(n), 0);
    fast.append(k, v, positions, sequences);
    exact.append(k, v, positions, sequences);
    const auto expected = exact.attend(q, positions, sequences, window);
    const auto together = fast.attend(q, positions, sequences, window);
    expect_near(together, expected, tolerance(g.type) * 2, tolerance(g.type), what);

    const int64_t cols = int64_t(g.n_heads) * g.head_dim;
    for (const int row : {0, n / 2, n - 1}) {
      expect_bits(fast.attend(rows_of(q, cols, row, 1), range(row, row + 1), std::vector<int32_t>{0}, window),
                  rows_of(together, cols, row, 1), what + ", one row");
    }
  }
};
PARO_FOR_EVERY_ISA(CpuAttention);

TEST_P(CpuAttention, MatchesReferenceOnEveryLength) {
  for (int n = 1; n <= 70; n += n < 18 ? 1 : 5) compare({}, n, 0);
  compare({}, 300, 0);
  compare({}, 700, 0);
}

TEST_P(CpuAttention, MatchesReferenceOnEveryGeometry) {
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8}) {
    for (const int head_dim : {8, 16, 20, 48, 64, 72, 128, 256}) compare({2, 1, head_dim, type}, 40, 0);
    for (const int group : {1, 2, 3, 4, 5, 7, 8, 9, 16, 40}) compare({group * 2, 2, 32, type}, 70, 0);
  }
}

TEST_P(CpuAttention, WindowsMatchReference) {
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8}) {
    for (const int window : {1, 2, 15, 16, 17, 32, 33, 100, 256, 1000}) compare({4, 2, 32, type}, 330, window);
  }
}

TEST_P(CpuAttention, RowsDependOnNothingButThemselves) {
  const Geometry g{6, 2, 48, KvType::f16};
  constexpr int n = 560;
  const int64_t cols = g.n_heads * g.head_dim;
  const auto k = normals(random_, int64_t(n) * g.n_kv_heads * g.head_dim);
  const auto v = normals(random_, int64_t(n) * g.n_kv_heads * g.head_dim);
  const auto q = normals(random_, n * cols);
  const std::vector<int32_t> sequences(size_t(n), 0);
  struct Cut {
    int n_threads, chunk;
  };
  for (const int window : {0, 280}) {
    std::vector<float> together;
    for (const auto& [n_threads, chunk] :
         {Cut{2, n}, {2, 100}, {2, 13}, {2, 70}, {1, n}, {1, 1}, {3, 13}, {8, n}, {8, 70}}) {
      const auto backend = cpu(GetParam(), n_threads);
      Cache cache(*backend, g, 1, n);
      std::vector<float> parts;
      for (int i = 0; i < n; i += chunk) {
        const int rows = std::min(chunk, n - i);
        const auto positions = range(i, i + rows);
        const std::span<const int32_t> of(sequences.data(), size_t(rows));
        const int64_t kv_cols = int64_t(g.n_kv_heads) * g.head_dim;
        cache.append(rows_of(k, kv_cols, i, rows), rows_of(v, kv_cols, i, rows), positions, of);
        const auto part = cache.attend(rows_of(q, cols, i, rows), positions, of, window);
        parts.insert(parts.end(), part.begin(), part.end());
      }
      if (together.empty()) together = parts;
      expect_bits(parts, together, fmt::format("chunks of {} on {} threads", chunk, n_threads));
    }
  }
}

TEST_P(CpuAttention, SequencesMixAndRowsSkipPositions) {
  const Geometry g{4, 2, 32, KvType::f16};
  const int64_t cols = g.n_heads * g.head_dim;
  const int64_t kv_cols = g.n_kv_heads * g.head_dim;
  const int lengths[] = {300, 40, 33};
  Cache cache(*backend_, g, 3, 320);
  for (int s = 0; s < 3; ++s) {
    const std::vector<int32_t> of(size_t(lengths[s]), s);
    cache.append(normals(random_, lengths[s] * kv_cols), normals(random_, lengths[s] * kv_cols), range(0, lengths[s]),
                 of);
  }
  // A decode row, the last row of a chunk, and a chunk with holes.
  const std::vector<int32_t> positions{299, 39, 2, 3, 9, 30, 31, 32};
  const std::vector<int32_t> sequences{0, 1, 2, 2, 2, 2, 2, 2};
  const auto q = normals(random_, int64_t(positions.size()) * cols);
  for (const int window : {0, 20}) {
    const auto mixed = cache.attend(q, positions, sequences, window);
    for (size_t i = 0; i < positions.size(); ++i) {
      expect_bits(cache.attend(rows_of(q, cols, int64_t(i), 1), std::span(positions).subspan(i, 1),
                               std::span(sequences).subspan(i, 1), window),
                  rows_of(mixed, cols, int64_t(i), 1), fmt::format("row {}", i));
    }
  }
}

TEST_P(CpuAttention, LaterKeysNeverShow) {
  const Geometry g{4, 1, 64, KvType::f16};
  constexpr int n = 48;
  const auto k = normals(random_, n * 64);
  const auto v = normals(random_, n * 64);
  const auto q = normals(random_, n * 256);
  const std::vector<int32_t> sequences(size_t(n), 0);
  Cache clean(*backend_, g, 1, 64);
  clean.append(k, v, range(0, n), sequences);
  const auto expected = clean.attend(rows_of(q, 256, 0, 20), range(0, 20), std::span(sequences).first(20), 0);
  // The same rows among rows whose keys and values are not numbers.
  auto bad_k = k;
  auto bad_v = v;
  for (size_t i = 20 * 64; i < bad_k.size(); ++i) bad_k[i] = bad_v[i] = std::nanf("");
  Cache dirty(*backend_, g, 1, 64);
  dirty.append(bad_k, bad_v, range(0, n), sequences);
  const auto rows = dirty.attend(q, range(0, n), sequences, 0);
  expect_bits(rows_of(rows, 256, 0, 20), expected, "rows before the bad ones");
}

TEST_P(CpuAttention, ScratchDoesNotShrinkWithRowsOrContext) {
  int64_t last = 0;
  for (const int64_t n : {1, 2, 3, 4, 8, 16, 100, 1000}) {
    const KvLayer layer{{2, 64, KvType::f16}, CacheKind::full, nullptr};
    const Batch batch;
    const Tensor q{DType::f32, {n, 4, 64}, nullptr};
    const int64_t bytes = backend_->scratch_bytes(AttentionArgs{q, layer, batch, 1, 0, int(n) * 100, q});
    EXPECT_GE(bytes, last);
    last = bytes;
  }
}

}  // namespace
}  // namespace paro::test
