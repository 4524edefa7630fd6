// Sequences that share pages, against a model of what each page holds: whatever they do, each sees its own tokens.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "backends/reference/reference_backend.h"
#include "engine/kv_cache.h"

namespace paro {
namespace {

constexpr int kWindow = 72, kChunk = 48, kContext = 320, kBatch = 3;

class SharedPages : public ::testing::TestWithParam<int64_t> {
 protected:
  SharedPages()
      : backend_(make_reference_backend()),
        spec_{.sliding_window = kWindow, .kv_layers = {{1, 4, CacheKind::full}, {1, 4, CacheKind::sliding}}},
        layout_(*backend_, spec_, KvType::f32, kContext, kBatch, kChunk, more_bytes()),
        memory_(layout_.n_bytes, "test"),
        cache_(*backend_, spec_, KvType::f32, layout_, memory_.bytes()) {}

  static std::optional<int64_t> more_bytes() {
    return GetParam() < 0 ? std::nullopt : std::optional<int64_t>(GetParam());
  }

  struct Run {
    int slot = -1;
    std::vector<int32_t> tokens;
    int n_cached = 0;
  };

  // Stands for keys and values: all tokens up to the position decide on them.
  static uint64_t written(const Run& run, int position) {
    uint64_t hash = 1;
    for (int i = 0; i <= position; ++i) hash = hash * 0x9e3779b97f4a7c15u + uint64_t(run.tokens[size_t(i)]) + 1;
    return hash;
  }

  void start(Run& run) {
    run.slot = cache_.open(int(run.tokens.size()), KvCache::Sharing::both);
    run.n_cached = cache_.reuse(run.slot, run.tokens, 0);
    n_reused_ += run.n_cached;
    ASSERT_LT(run.n_cached, int(run.tokens.size()));
  }

  void step(Run& run, int n) {
    const int end = std::min(run.n_cached + n, int(run.tokens.size()));
    cache_.extend(run.slot, run.n_cached, end);
    for (const CacheKind kind : {CacheKind::full, CacheKind::sliding}) {
      const BlockTable table = cache_.tables()[size_t(kind)];
      for (int p = run.n_cached; p < end; ++p)
        content_[{kind, table.page(run.slot, p), p % kPageTokens}] = written(run, p);
      const int first = kind == CacheKind::full ? 0 : std::max(0, run.n_cached - kWindow + 1);
      for (int p = first; p < end; ++p) {
        ASSERT_GE(table.page(run.slot, p), 0) << p;
        const uint64_t seen = content_[{kind, table.page(run.slot, p), p % kPageTokens}];
        ASSERT_EQ(seen, written(run, p)) << "position " << p << " of kind " << int(kind);
      }
    }
    while (run.n_cached < end) {
      if (++run.n_cached % kPageTokens != 0) continue;
      const auto block = std::span(run.tokens).subspan(size_t(run.n_cached - kPageTokens)).first<size_t(kPageTokens)>();
      cache_.name_block(run.slot, block);
    }
  }

  std::unique_ptr<Backend> backend_;
  ModelSpec spec_;
  KvLayout layout_;
  Buffer memory_;
  KvCache cache_;
  std::map<std::tuple<CacheKind, int32_t, int>, uint64_t> content_;
  int64_t n_reused_ = 0;
};

TEST_P(SharedPages, EachSequenceSeesItsOwnTokensWhateverTheOthersDo) {
  std::mt19937 random(3);
  const auto below = [&](int n) { return int(random() % uint32_t(n)); };
  std::vector<Run> runs;
  for (int round = 0; round < 4000; ++round) {
    const int action = below(10);
    if (action == 0 && cache_.can_reserve(kContext)) {
      Run run;
      // Of few kinds, so that many begin alike and leave each other somewhere.
      const int kind = below(3), n_common = below(kContext), n = 1 + below(kContext);
      for (int i = 0; i < n; ++i) run.tokens.push_back(i < n_common ? kind : 10 + below(2));
      start(run);
      runs.push_back(std::move(run));
    } else if (!runs.empty()) {
      const size_t i = size_t(below(int(runs.size())));
      Run& run = runs[i];
      if (action == 1) {
        const int before = run.n_cached;
        run.n_cached = cache_.reuse(run.slot, run.tokens, before);
        ASSERT_GE(run.n_cached, before);
        n_reused_ += run.n_cached - before;
      } else if (action == 2 || run.n_cached == int(run.tokens.size())) {
        cache_.close(run.slot);
        runs.erase(runs.begin() + int64_t(i));
      } else {
        if (action == 3) cache_.keep_window(run.slot);
        step(run, 1 + below(kChunk));
      }
    }
    if (HasFatalFailure()) return;
    ASSERT_LE(cache_.n_named_blocks(), cache_.n_blocks());
  }
  EXPECT_EQ(n_reused_ > 1000, GetParam() != 0) << n_reused_;
}

INSTANTIATE_TEST_SUITE_P(MoreBytes, SharedPages, ::testing::Values(-1, 0, 100'000),
                         [](const auto& test) { return test.param < 0 ? "none" : std::to_string(test.param); });

}  // namespace
}  // namespace paro
