#include "engine/prefix_cache.h"

#include <gtest/gtest.h>

#include <numeric>

namespace paro {
namespace {

constexpr int32_t kNone = PrefixCache::kNone;

std::array<int32_t, size_t(kPageTokens)> tokens(int32_t first) {
  std::array<int32_t, size_t(kPageTokens)> out;
  std::iota(out.begin(), out.end(), first);
  return out;
}

TEST(PrefixCache, ABlockIsFoundByItsTokensAndByWhatIsBeforeIt) {
  PrefixCache cache(8, 0);
  cache.insert(kNone, tokens(0), 3);
  cache.insert(3, tokens(100), 5);
  EXPECT_EQ(cache.find(kNone, tokens(0)), 3);
  EXPECT_EQ(cache.find(3, tokens(100)), 5);
  EXPECT_EQ(cache.find(kNone, tokens(100)), kNone) << "the same tokens elsewhere";
  EXPECT_EQ(cache.find(5, tokens(100)), kNone);
  auto other = tokens(100);
  other.back() += 1;
  EXPECT_EQ(cache.find(3, other), kNone);
  EXPECT_EQ(cache.n_blocks(), 2);
}

// With so few buckets most of them hold several blocks.
TEST(PrefixCache, BlocksOfOneBucketAreToldApart) {
  PrefixCache cache(64, 0);
  for (int32_t i = 0; i < 64; ++i) cache.insert(kNone, tokens(1000 * i), i);
  for (int32_t i = 0; i < 64; ++i) EXPECT_EQ(cache.find(kNone, tokens(1000 * i)), i);
  for (int32_t i = 0; i < 64; i += 2) cache.rest(CacheKind::full, i);
  for (int32_t i = 0; i < 64; i += 2) EXPECT_EQ(cache.give_up(CacheKind::full).full, i) << "the oldest first";
  EXPECT_EQ(cache.give_up(CacheKind::full).full, kNone) << "all others are in use";
  for (int32_t i = 0; i < 64; ++i) EXPECT_EQ(cache.find(kNone, tokens(1000 * i)), i % 2 == 0 ? kNone : i);
}

TEST(PrefixCache, WhatIsUsedAgainIsNotGivenUp) {
  PrefixCache cache(4, 0);
  for (int32_t i = 0; i < 3; ++i) cache.insert(kNone, tokens(1000 * i), i), cache.rest(CacheKind::full, i);
  cache.wake(CacheKind::full, 0);
  cache.wake(CacheKind::full, 1);
  cache.rest(CacheKind::full, 1);
  EXPECT_EQ(cache.give_up(CacheKind::full).full, 2);
  EXPECT_EQ(cache.give_up(CacheKind::full).full, 1);
  EXPECT_EQ(cache.give_up(CacheKind::full).full, kNone);
}

TEST(PrefixCache, ABlockGoesWithItsSlidingPageAndNotTheOtherWayRound) {
  PrefixCache cache(4, 4);
  cache.insert(kNone, tokens(0), 0);
  cache.set_sliding_page(0, 2);
  cache.rest(CacheKind::sliding, 2);
  EXPECT_EQ(cache.give_up(CacheKind::sliding).sliding, 2);
  EXPECT_EQ(cache.sliding_page(0), kNone);
  EXPECT_EQ(cache.find(kNone, tokens(0)), 0);
  EXPECT_FALSE(cache.is_named(CacheKind::sliding, 2));

  cache.set_sliding_page(0, 1);
  cache.rest(CacheKind::sliding, 1);
  cache.rest(CacheKind::full, 0);
  const PrefixCache::GivenUp pages = cache.give_up(CacheKind::full);
  EXPECT_EQ(pages.full, 0);
  EXPECT_EQ(pages.sliding, 1);
  EXPECT_EQ(cache.give_up(CacheKind::sliding).sliding, kNone);
}

TEST(PrefixCache, PagesOfAKeptWindowAreGivenUpLast) {
  PrefixCache cache(4, 4);
  for (int32_t i = 0; i < 4; ++i) {
    cache.insert(i - 1, tokens(1000 * i), i);
    cache.set_sliding_page(i, i);
  }
  cache.rest(CacheKind::sliding, 0);
  cache.rest(CacheKind::sliding, 1);
  cache.keep_window(1, 1);  // rests already
  cache.keep_window(2, 1);  // does not yet
  cache.rest(CacheKind::sliding, 2);
  cache.rest(CacheKind::sliding, 3);
  std::vector<int32_t> order;
  for (int i = 0; i < 4; ++i) order.push_back(cache.give_up(CacheKind::sliding).sliding);
  EXPECT_EQ(order, (std::vector<int32_t>{0, 3, 1, 2}));
}

}  // namespace
}  // namespace paro
