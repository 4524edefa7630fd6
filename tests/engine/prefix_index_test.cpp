#include "engine/prefix_index.h"

#include <gtest/gtest.h>

#include <vector>

namespace paro {
namespace {

using std::chrono::seconds;

constexpr PrefixIndex::Time kStart{seconds(1000)};

PrefixIndex::Entry entry_of(PrefixIndex::Time used, int32_t n_units = 1) { return {used, n_units, false}; }

std::vector<PrefixKey> given_up(PrefixIndex& index) {
  std::vector<PrefixKey> keys;
  while (const auto key = index.oldest()) {
    keys.push_back(*key);
    index.erase(*key);
  }
  return keys;
}

TEST(PrefixIndex, GivesUpTheLeastRecentlyUsedPromptFromItsEnd) {
  PrefixIndex index;
  for (uint64_t prompt = 0; prompt < 2; ++prompt) {
    for (int block = 0; block < 3; ++block) {
      const auto used = PrefixIndex::time_of_use(kStart + seconds(prompt), block);
      index.put({prompt, uint64_t(block)}, entry_of(used));
    }
  }
  const std::vector<PrefixKey> expected{{0, 2}, {0, 1}, {0, 0}, {1, 2}, {1, 1}, {1, 0}};
  EXPECT_EQ(given_up(index), expected);
  EXPECT_EQ(index.n_bytes(), 0);
}

TEST(PrefixIndex, WhatIsUsedAgainStays) {
  PrefixIndex index;
  for (uint64_t i = 0; i < 3; ++i) index.put({i, 0}, entry_of(kStart + seconds(i)));
  index.touch({0, 0}, kStart + seconds(9));
  index.touch({2, 0}, kStart);  // an earlier use changes nothing
  index.touch({7, 7}, kStart);  // nor does one of something unknown
  const std::vector<PrefixKey> expected{{1, 0}, {2, 0}, {0, 0}};
  EXPECT_EQ(given_up(index), expected);
}

TEST(PrefixIndex, CountsWholeUnitsOfWhatIsThere) {
  EXPECT_EQ(PrefixIndex::units_of(1), 1);
  EXPECT_EQ(PrefixIndex::units_of(4096), 1);
  EXPECT_EQ(PrefixIndex::units_of(4097), 2);
  PrefixIndex index;
  index.put({1, 1}, entry_of(kStart, 2));
  index.put({2, 2}, entry_of(kStart, 3));
  index.put({1, 1}, entry_of(kStart, 5));  // in place of the one that is there
  EXPECT_EQ(index.n_bytes(), 8 * PrefixIndex::kUnitBytes);
  EXPECT_EQ(index.n_entries(), 2);
  index.erase({2, 2});
  index.erase({2, 2});
  EXPECT_EQ(index.n_bytes(), 5 * PrefixIndex::kUnitBytes);
  EXPECT_EQ(index.find({2, 2}), nullptr);
  ASSERT_NE(index.find({1, 1}), nullptr);
  EXPECT_EQ(index.find({1, 1})->n_units, 5);
}

}  // namespace
}  // namespace paro
