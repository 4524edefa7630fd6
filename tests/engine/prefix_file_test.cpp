#include "engine/prefix_file.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <vector>

namespace paro {
namespace {

PrefixBlock block_of(int32_t first_token, const PrefixKey& before = {}) {
  PrefixBlock block{.before = before, .tokens = {}};
  std::iota(block.tokens.begin(), block.tokens.end(), first_token);
  return block;
}

PrefixFileHeader some_header() {
  return {.fingerprint = {1, 2},
          .block = block_of(7, {3, 4}),
          .n_bytes = {4096, 8192},
          .checksum = {0x0123456789abcdefu, 5}};
}

TEST(PrefixKey, IsTheFirstHalfOfASha256) {
  const std::string_view text = "abc";
  EXPECT_EQ(PrefixKey::of(std::as_bytes(std::span(text))).hex(), "eacf018fbf1678ba2322ae5dde404141");
}

TEST(PrefixKey, ReadsItsOwnDigitsAlone) {
  const PrefixKey key = block_of(1).key();
  EXPECT_EQ(PrefixKey::parse(key.hex()), key);
  for (const char* other : {"", "0123", "0123456789abcdef0123456789abcdeg", "0123456789ABCDEF0123456789abcdef",
                            "-123456789abcdef0123456789abcdef0", "0123456789abcdef0123456789abcdef0"}) {
    EXPECT_FALSE(PrefixKey::parse(other)) << other;
  }
}

TEST(PrefixBlock, KeyIsOfTokensAndOfAllBefore) {
  std::set<PrefixKey> keys;
  keys.insert(block_of(1).key());
  keys.insert(block_of(2).key());
  keys.insert(block_of(1, {0, 1}).key());
  keys.insert(block_of(1, {1, 0}).key());
  EXPECT_EQ(keys.size(), 4u);
  EXPECT_EQ(block_of(2).key(), block_of(2).key());
}

TEST(PrefixFileHeader, ReadsWhatItWrites) {
  const auto bytes = some_header().to_bytes();
  EXPECT_EQ(PrefixFileHeader::parse(bytes), some_header());
}

TEST(PrefixFileHeader, NoBitOfItMayChange) {
  const auto whole = some_header().to_bytes();
  for (size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto bytes = whole;
      bytes[i] ^= std::byte(1 << bit);
      ASSERT_FALSE(PrefixFileHeader::parse(bytes)) << "bit " << bit << " of byte " << i;
    }
  }
}

TEST(PrefixFileHeader, IsNothingUnlessWhole) {
  const auto bytes = some_header().to_bytes();
  for (size_t n = 0; n < bytes.size(); ++n) ASSERT_FALSE(PrefixFileHeader::parse(std::span(bytes).first(n))) << n;
}

TEST(PrefixFileHeader, SizesAreNotNegative) {
  PrefixFileHeader header = some_header();
  header.n_bytes[1] = -1;
  EXPECT_FALSE(PrefixFileHeader::parse(header.to_bytes()));
}

TEST(Checksum, SeesEveryBitLengthAndOrder) {
  for (const size_t n : {1u, 7u, 31u, 32u, 33u, 200u}) {
    std::vector<std::byte> bytes(n);
    const uint64_t whole = checksum(0, bytes);
    std::set<uint64_t> sums{whole, checksum(1, bytes), checksum(0, std::span(bytes).first(n - 1))};
    EXPECT_EQ(sums.size(), 3u);
    for (size_t i = 0; i < n; ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        bytes[i] = std::byte(1 << bit);
        EXPECT_TRUE(sums.insert(checksum(0, bytes)).second) << "bit " << bit << " of byte " << i << " of " << n;
      }
      bytes[i] = {};
    }
  }
}

}  // namespace
}  // namespace paro
