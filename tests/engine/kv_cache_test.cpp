#include "engine/kv_cache.h"

#include <gtest/gtest.h>

#include <set>

#include "backends/reference/reference_backend.h"

namespace paro {
namespace {

// One full and one sliding layer with a window of 40 tokens, pages of kPageTokens = 32.
class KvCacheTest : public ::testing::Test {
 protected:
  static constexpr int kWindow = 40, kChunk = 16, kContext = 320, kBatch = 2;

  KvCacheTest()
      : backend_(make_reference_backend()),
        spec_{.sliding_window = kWindow, .kv_layers = {{1, 4, CacheKind::full}, {1, 4, CacheKind::sliding}}},
        layout_(*backend_, spec_, KvType::f32, kContext, kBatch, kChunk),
        memory_(layout_.n_bytes, "test"),
        cache_(*backend_, spec_, KvType::f32, layout_, memory_.bytes()) {}

  std::set<int32_t> pages(CacheKind kind, int slot) {
    const BlockTable table = cache_.tables()[size_t(kind)];
    std::set<int32_t> held;
    for (int64_t block = 0; block < table.max_blocks; ++block) {
      const int32_t page = table.pages[slot * table.max_blocks + block];
      if (page >= 0) {
        EXPECT_TRUE(held.insert(page).second) << "page " << page << " stands twice";
      }
    }
    return held;
  }

  std::unique_ptr<Backend> backend_;
  ModelSpec spec_;
  KvLayout layout_;
  Buffer memory_;
  KvCache cache_;
};

TEST_F(KvCacheTest, WindowCostsNoContext) {
  EXPECT_EQ(layout_.pages_per_sequence[size_t(CacheKind::full)], kContext / kPageTokens);
  EXPECT_EQ(layout_.pages_per_sequence[size_t(CacheKind::sliding)], 3);
}

TEST_F(KvCacheTest, EveryVisiblePositionHasAPageInEveryStep) {
  const int slot = cache_.open(kContext);
  for (int begin = 0; begin < kContext; begin += kChunk) {
    const int end = begin + kChunk;
    cache_.extend(slot, begin, end);
    const auto tables = cache_.tables();
    for (int p = 0; p < end; ++p) EXPECT_GE(tables[size_t(CacheKind::full)].page(slot, p), 0) << p;
    for (int p = std::max(0, begin - kWindow + 1); p < end; ++p) {
      EXPECT_GE(tables[size_t(CacheKind::sliding)].page(slot, p), 0) << p << " at " << begin;
    }
    EXPECT_LE(int64_t(pages(CacheKind::sliding, slot).size()), layout_.pages_per_sequence[size_t(CacheKind::sliding)]);
  }
}

TEST_F(KvCacheTest, SequencesNeverShareAPage) {
  const int a = cache_.open(kContext), b = cache_.open(kContext);
  ASSERT_NE(a, b);
  for (int begin = 0; begin < kContext; begin += kChunk) {
    cache_.extend(a, begin, begin + kChunk);
    cache_.extend(b, begin, begin + kChunk);
    for (const CacheKind kind : {CacheKind::full, CacheKind::sliding}) {
      for (const int32_t page : pages(kind, a)) EXPECT_FALSE(pages(kind, b).contains(page));
    }
  }
}

TEST_F(KvCacheTest, ReservesTheWorstCaseAndGivesAllOfItBack) {
  EXPECT_TRUE(cache_.can_reserve(kContext));
  const int a = cache_.open(kContext);
  const int b = cache_.open(10);
  EXPECT_FALSE(cache_.can_reserve(1)) << "no slot is left";
  cache_.extend(a, 0, 100);
  cache_.close(a);
  cache_.close(b);
  for (int i = 0; i < 100; ++i) {
    const int slot = cache_.open(kContext);
    for (int begin = 0; begin < kContext; begin += kChunk) cache_.extend(slot, begin, begin + kChunk);
    cache_.close(slot);
  }
  EXPECT_TRUE(cache_.can_reserve(kContext));
}

TEST_F(KvCacheTest, TruncateForgetsLaterPagesAlone) {
  const int slot = cache_.open(kContext);
  cache_.extend(slot, 0, 16);
  cache_.extend(slot, 16, 100);
  cache_.truncate(slot, 33);
  EXPECT_EQ(pages(CacheKind::full, slot).size(), 2u);
  cache_.extend(slot, 33, 34);
  EXPECT_EQ(pages(CacheKind::full, slot).size(), 2u);
  cache_.truncate(slot, 0);
  EXPECT_EQ(pages(CacheKind::full, slot).size(), 0u);
}

}  // namespace
}  // namespace paro
