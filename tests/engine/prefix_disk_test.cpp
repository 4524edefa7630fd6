// Blocks of prompts on disk, with pages of a made-up model: what is written is found again, and nothing else is.
#include "engine/prefix_disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include "tests/base/temporary_directory.h"

namespace paro {
namespace {

namespace fs = std::filesystem;
using test::TemporaryDirectory;

constexpr PrefixKey kFingerprint{1, 2}, kOther{3, 4};
constexpr int64_t kPageBytes = 1000, kPlenty = 1 << 30;
constexpr int kPages = 16;
constexpr int64_t kFileBytes = 4096;  // two full layers and a sliding one, and the header

class PrefixDiskTest : public ::testing::Test {
 protected:
  PrefixDiskTest() : full_{pages(1), pages(2)}, sliding_(pages(3)) {}

  static std::vector<std::byte> pages(uint32_t seed) {
    std::vector<std::byte> bytes(size_t(kPages * kPageBytes));
    for (std::byte& b : bytes) b = std::byte((seed = seed * 1664525u + 1013904223u) >> 24);
    return bytes;
  }

  void open(int64_t limit_bytes = kPlenty, const PrefixKey& fingerprint = kFingerprint) {
    disk_.reset();
    disk_.emplace(PrefixDirectory(directory_.path(), fingerprint), limit_bytes,
                  std::vector<PrefixDisk::Layer>{{CacheKind::full, full_[0].data(), kPageBytes},
                                                 {CacheKind::sliding, sliding_.data(), kPageBytes},
                                                 {CacheKind::full, full_[1].data(), kPageBytes}});
  }
  void close() { disk_.reset(); }  // after all that is queued has been written

  // Blocks of a prompt, in pages of the same numbers.
  static std::vector<PrefixBlock> prompt(int n_blocks, int32_t first_token = 0,
                                         const PrefixKey& fingerprint = kFingerprint) {
    std::vector<PrefixBlock> blocks;
    PrefixKey before = fingerprint;
    for (int i = 0; i < n_blocks; ++i) {
      PrefixBlock& block = blocks.emplace_back(PrefixBlock{before, {}});
      block.tokens.fill(first_token + i);
      before = block.key();
    }
    return blocks;
  }

  static PrefixDisk::Time time(int prompt, int block = 0) {
    return PrefixIndex::time_of_use(PrefixDisk::Time(std::chrono::seconds(1000 + prompt)), block);
  }

  void offer(const std::vector<PrefixBlock>& blocks, int n_prompt = 0, bool slides = true) {
    for (int i = 0; i < int(blocks.size()); ++i) {
      disk_->offer(blocks[size_t(i)], blocks[size_t(i)].key(), time(n_prompt, i), i, slides ? i : -1);
    }
  }

  bool has(const PrefixBlock& block, CacheKind kind = CacheKind::full) const { return disk_->has(block.key(), kind); }

  // Into the last page. True: it holds now what the page of that number holds.
  bool reads(const PrefixBlock& block, int page, CacheKind kind = CacheKind::full) {
    constexpr int kInto = kPages - 1;
    const auto begin = [&](std::vector<std::byte>& layer, int n) { return layer.data() + n * kPageBytes; };
    std::vector<std::vector<std::byte>*> layers{&full_[0], &full_[1]};
    if (kind == CacheKind::sliding) layers = {&sliding_};
    for (auto* layer : layers) std::fill_n(begin(*layer, kInto), kPageBytes, std::byte(0));
    if (!disk_->read(block, block.key(), kind, time(50), kInto)) return false;
    for (auto* layer : layers) {
      EXPECT_TRUE(std::equal(begin(*layer, kInto), begin(*layer, kInto) + kPageBytes, begin(*layer, page)));
    }
    return true;
  }

  fs::path folder(const PrefixKey& fingerprint = kFingerprint) const { return directory_.path() / fingerprint.hex(); }
  fs::path file(const PrefixBlock& block) const { return folder() / block.key().hex(); }
  int64_t n_files(const PrefixKey& fingerprint = kFingerprint) const {
    std::error_code error;
    return std::distance(fs::directory_iterator(folder(fingerprint), error), fs::directory_iterator());
  }

  TemporaryDirectory directory_;
  std::vector<std::byte> full_[2], sliding_;
  std::optional<PrefixDisk> disk_;
};

TEST_F(PrefixDiskTest, FindsAfterARestartWhatWasWritten) {
  const auto blocks = prompt(5);
  open();
  EXPECT_FALSE(has(blocks[0]));
  offer(blocks);
  close();
  open();
  EXPECT_EQ(disk_->n_bytes(), 5 * kFileBytes);
  for (int i = 0; i < 5; ++i) {
    for (const CacheKind kind : {CacheKind::full, CacheKind::sliding}) {
      EXPECT_TRUE(has(blocks[size_t(i)], kind));
      EXPECT_TRUE(reads(blocks[size_t(i)], i, kind)) << i;
    }
  }
  EXPECT_FALSE(has(prompt(1, 9)[0]));
}

TEST_F(PrefixDiskTest, ABlockMayLackItsPageOfSlidingAttentionAndGetItLater) {
  const auto blocks = prompt(2);
  open();
  offer(blocks, 0, /*slides=*/false);
  close();
  open();
  EXPECT_TRUE(reads(blocks[1], 1));
  EXPECT_FALSE(has(blocks[1], CacheKind::sliding));
  offer(blocks);
  close();
  open();
  EXPECT_TRUE(reads(blocks[1], 1));
  EXPECT_TRUE(reads(blocks[1], 1, CacheKind::sliding));
}

TEST_F(PrefixDiskTest, ABlockWhoseBeginningIsNotThereIsNotKept) {
  const auto blocks = prompt(3);
  open();
  disk_->offer(blocks[2], blocks[2].key(), time(0, 2), 2, 2);
  close();
  EXPECT_EQ(n_files(), 0);
}

void change(const fs::path& path, int64_t offset) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(offset);
  const char byte = char(file.get() ^ 1);
  file.seekp(offset);
  file.put(byte);
}

// Each sort of damage is done to the second block of three, and found when it is read or before.
TEST_F(PrefixDiskTest, WhatIsNotItsBlockIsRemovedAndReadByNobody) {
  const auto blocks = prompt(3), others = prompt(3, 100);
  const std::vector<std::pair<const char*, std::function<void(const fs::path&)>>> damages = {
      {"a changed header", [](const fs::path& path) { change(path, 20); }},
      {"a changed first byte of a page", [](const fs::path& path) { change(path, PrefixFileHeader::kBytes); }},
      {"a changed last byte of a page",
       [](const fs::path& path) { change(path, PrefixFileHeader::kBytes + 2 * kPageBytes - 1); }},
      {"half a file", [](const fs::path& path) { fs::resize_file(path, fs::file_size(path) / 2); }},
      {"an empty file", [](const fs::path& path) { fs::resize_file(path, 0); }},
      {"zeros in place of pages",
       [](const fs::path& path) {
         const auto n = fs::file_size(path);
         fs::resize_file(path, PrefixFileHeader::kBytes);
         fs::resize_file(path, n);
       }},
      {"more than a file", [](const fs::path& path) { fs::resize_file(path, fs::file_size(path) + 1); }},
      {"another block",
       [&](const fs::path& path) { fs::copy_file(file(others[1]), path, fs::copy_options::overwrite_existing); }},
      {"a block of another fingerprint",
       [&](const fs::path& path) {
         std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
         std::array<std::byte, size_t(PrefixFileHeader::kBytes)> bytes;
         out.read(reinterpret_cast<char*>(bytes.data()), PrefixFileHeader::kBytes);
         auto header = PrefixFileHeader::parse(bytes);
         ASSERT_TRUE(header);
         header->fingerprint = kOther;
         bytes = header->to_bytes();
         out.seekp(0);
         out.write(reinterpret_cast<const char*>(bytes.data()), PrefixFileHeader::kBytes);
       }},
  };
  for (const auto& [what, damage] : damages) {
    for (const bool while_open : {false, true}) {
      SCOPED_TRACE(std::string(what) + (while_open ? " while it is open" : " before it is opened"));
      open();
      offer(blocks);
      offer(others, 1);
      close();
      ASSERT_EQ(n_files(), 6);
      if (while_open) open();
      damage(file(blocks[1]));
      if (!while_open) open();
      EXPECT_TRUE(reads(blocks[0], 0));
      EXPECT_FALSE(reads(blocks[1], 1));
      EXPECT_FALSE(has(blocks[1]));
      EXPECT_FALSE(fs::exists(file(blocks[1])));
      EXPECT_TRUE(reads(blocks[2], 2));
      EXPECT_TRUE(reads(others[1], 1));
    }
  }
}

TEST_F(PrefixDiskTest, WhatWasNeverFinishedIsRemovedAndWhatIsNotOursStays) {
  const auto blocks = prompt(1);
  open();
  offer(blocks);
  close();
  const fs::path unfinished = file(prompt(1, 9)[0]).concat(".part");
  fs::copy_file(file(blocks[0]), unfinished);
  std::ofstream(folder() / "notes.txt") << "kept";
  std::ofstream(directory_.path() / "notes.txt") << "kept";
  fs::create_directory(file(prompt(1, 8)[0]));  // a name of ours that is no file
  open();
  EXPECT_FALSE(fs::exists(unfinished));
  EXPECT_TRUE(fs::exists(folder() / "notes.txt"));
  EXPECT_TRUE(fs::exists(directory_.path() / "notes.txt"));
  EXPECT_TRUE(reads(blocks[0], 0));
  EXPECT_EQ(disk_->n_bytes(), kFileBytes);
}

TEST_F(PrefixDiskTest, TheLeastRecentlyUsedPromptGivesWayFromItsEnd) {
  const auto first = prompt(3, 0), second = prompt(3, 100), third = prompt(2, 200);
  open(6 * kFileBytes);
  offer(first, 1);
  offer(second, 2);
  close();
  open(6 * kFileBytes);
  EXPECT_TRUE(reads(first[0], 0)) << "used later than the second prompt from here on";
  close();
  open(6 * kFileBytes);  // which a restart does not forget
  offer(third, 3);
  close();
  open(6 * kFileBytes);
  EXPECT_EQ(disk_->n_bytes(), 6 * kFileBytes);
  const auto n_there = [&](const std::vector<PrefixBlock>& blocks) {
    return std::count_if(blocks.begin(), blocks.end(), [&](const PrefixBlock& block) { return has(block); });
  };
  EXPECT_EQ(n_there(third), 2);
  EXPECT_EQ(n_there(second), 3);
  EXPECT_TRUE(has(first[0]));
  EXPECT_EQ(n_there(first), 1);
}

TEST_F(PrefixDiskTest, APromptThatIsTooLongIsKeptFromItsBeginning) {
  const auto blocks = prompt(9);
  open(4 * kFileBytes);
  offer(blocks);
  close();
  open(4 * kFileBytes);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(has(blocks[size_t(i)]), i < 4) << i;
}

TEST_F(PrefixDiskTest, ASmallerLimitHoldsFromTheStart) {
  const auto blocks = prompt(6);
  open();
  offer(blocks);
  close();
  open(2 * kFileBytes);
  EXPECT_EQ(disk_->n_bytes(), 2 * kFileBytes);
  EXPECT_EQ(n_files(), 2);
  EXPECT_TRUE(reads(blocks[0], 0));
  EXPECT_TRUE(reads(blocks[1], 1));
}

TEST_F(PrefixDiskTest, FilesOfOtherFingerprintsCountAndGoFirst) {
  open(kPlenty, kOther);
  offer(prompt(4, 0, kOther));
  close();
  EXPECT_EQ(n_files(kOther), 4);
  const auto blocks = prompt(5);
  open(6 * kFileBytes);
  EXPECT_EQ(disk_->n_bytes(), 4 * kFileBytes);
  offer(blocks);
  close();
  EXPECT_EQ(n_files(), 5);
  EXPECT_EQ(n_files(kOther), 1);
  open(3 * kFileBytes);
  EXPECT_FALSE(fs::exists(folder(kOther))) << "it is empty";
  EXPECT_EQ(disk_->n_bytes(), 3 * kFileBytes);
}

TEST_F(PrefixDiskTest, AFolderInUseIsNeitherSharedNorRemoved) {
  open(kPlenty, kOther);
  offer(prompt(4, 0, kOther));
  close();
  const PrefixDirectory used(directory_.path(), kOther);
  EXPECT_THROW(PrefixDirectory(directory_.path(), kOther), Error);
  open(2 * kFileBytes);
  EXPECT_EQ(disk_->n_bytes(), 0);
  offer(prompt(2));
  close();
  EXPECT_EQ(n_files(kOther), 4);
  EXPECT_EQ(n_files(), 2);
}

TEST_F(PrefixDiskTest, AWriteThatFailsEndsAllWritingButNotReading) {
  const auto blocks = prompt(2), others = prompt(2, 100);
  open();
  offer(blocks);
  close();
  open();
  // A name that no file can take, even by a user who may do everything.
  fs::create_directory(file(others[0]).concat(".part"));
  offer(others);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(reads(blocks[size_t(i)], i));
  close();
  EXPECT_FALSE(fs::exists(file(others[0])));
  EXPECT_FALSE(fs::exists(file(others[1])));
}

// A page is given up and changed at once: what is on disk is what it held when it was offered, or nothing.
TEST_F(PrefixDiskTest, APageThatIsGivenUpMayBeChangedAtOnce) {
  open();
  std::vector<std::vector<PrefixBlock>> prompts;
  for (int round = 0; round < 50; ++round) {
    prompts.push_back(prompt(8, 100 * (round + 1)));
    for (auto& layer : full_) std::fill_n(layer.begin(), 8 * kPageBytes, std::byte(round));
    std::fill_n(sliding_.begin(), 8 * kPageBytes, std::byte(round));
    offer(prompts.back(), round);
    if (round % 2 == 0) std::this_thread::yield();
    for (int i = 7; i >= 0; --i) {
      if (i % 2 == 0) disk_->give_up(CacheKind::sliding, i);
      disk_->give_up(CacheKind::full, i);
    }
  }
  offer(prompts.back(), 50);
  close();
  open();
  int n_found = 0;
  for (int round = 0; round < 50; ++round) {
    for (auto& layer : full_) std::fill_n(layer.begin(), kPageBytes, std::byte(round));
    for (const PrefixBlock& block : prompts[size_t(round)]) {
      if (!has(block)) continue;
      ++n_found;
      EXPECT_TRUE(reads(block, 0));
    }
  }
  EXPECT_GE(n_found, 8);
}

}  // namespace
}  // namespace paro
