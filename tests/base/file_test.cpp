#include "base/file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "base/align.h"
#include "base/direct_file.h"
#include "base/direct_reads.h"
#include "tests/base/page_cache.h"
#include "tests/base/temporary_directory.h"

namespace paro::test {
namespace {

std::string read(const File& file, int64_t offset_bytes, size_t n_bytes) {
  std::string text(n_bytes, '?');
  file.read_exact(offset_bytes, std::as_writable_bytes(std::span(text)));
  return text;
}

TEST(File, ReadsByPosition) {
  const TemporaryDirectory directory;
  const File file(directory.write("ten", "0123456789"));
  EXPECT_EQ(file.size_bytes(), 10);
  EXPECT_EQ(read(file, 7, 3), "789");
  EXPECT_EQ(read(file, 0, 10), "0123456789");
  EXPECT_EQ(read(file, 10, 0), "");
}

TEST(File, RefusesToReadPastItsEnd) {
  const TemporaryDirectory directory;
  const File file(directory.write("ten", "0123456789"));
  EXPECT_TRUE(contains(error_of(ErrorKind::io, [&] { read(file, 8, 3); }), {"ten", "ends at byte 10", "3 bytes at 8"}));
}

TEST(File, NamesAPathThatIsMissingOrNoFile) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(contains(error_of(ErrorKind::io, [&] { File(directory.path() / "gone"); }), {"gone", "No such file"}));
  EXPECT_TRUE(contains(error_of(ErrorKind::io, [&] { File{directory.path()}; }), {"not a regular file"}));
}

TEST(File, StaysReadableWhenMoved) {
  const TemporaryDirectory directory;
  File first(directory.write("ten", "0123456789"));
  const File second(std::move(first));
  EXPECT_EQ(read(second, 2, 2), "23");
}

TEST(File, IsReadFromManyThreadsAtOnce) {
  const TemporaryDirectory directory;
  std::string content;
  for (int i = 0; i < 1 << 16; ++i) content += char('a' + i * 7 % 26);
  const File file(directory.write("letters", content));
  std::array<std::string, 4> seen;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < seen.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int64_t at = int64_t(t); at < 1 << 16; at += 1000) seen[t] += read(file, at, 5).substr(0, 1);
    });
  }
  for (auto& thread : threads) thread.join();
  for (size_t t = 0; t < seen.size(); ++t) {
    std::string expected;
    for (size_t at = t; at < 1 << 16; at += 1000) expected += content.substr(at, 1);
    EXPECT_EQ(seen[t].substr(0, 65), expected.substr(0, 65)) << "thread " << t;
  }
}

std::string letters(size_t n) {
  std::string content;
  for (size_t i = 0; i < n; ++i) content += char('a' + (i * 7 + i / 4096) % 26);
  return content;
}

TEST(File, ReadsFromMemoryWhatIsThereAndNothingElse) {
  const TemporaryDirectory directory;
  const std::string content = letters(3 << 20);
  const File file(directory.write("letters", content));
  std::string text(content.size() - 5, '?');
  const auto bytes = std::as_writable_bytes(std::span(text));
  file.read_exact(0, bytes);
  const File::Cached cached = file.read_cached(5, bytes);
  if (cached == File::Cached::unknown) GTEST_SKIP() << "this system does not tell";
  ASSERT_EQ(cached, File::Cached::all);
  EXPECT_TRUE(text == content.substr(5));
  EXPECT_EQ(file.read_cached(6, bytes), File::Cached::not_all) << "past the end";
  EXPECT_EQ(file.read_cached(0, {}), File::Cached::all);
  if (!drop_from_memory(file.path()) || file.read_cached(1 << 20, bytes.first(100)) == File::Cached::all) {
    GTEST_SKIP() << "this file system keeps its files in memory";
  }
  EXPECT_EQ(file.read_cached(1 << 20, bytes.first(4096)), File::Cached::not_all) << "asking reads nothing in";
  file.read_exact(1 << 20, bytes.first(4096));
  EXPECT_EQ(file.read_cached(1 << 20, bytes.first(4096)), File::Cached::all);
}

TEST(DirectFile, ReadsWhatTheFileHolds) {
  const TemporaryDirectory directory;
  constexpr int64_t kBlock = DirectFile::kAlignment;
  const std::string content = letters(5 * kBlock + 17);
  const File file(directory.write("letters", content));
  const DirectFile direct(file);
  if (!direct.is_open()) GTEST_SKIP() << "this file system has no such reads";
  std::vector<std::byte> memory(size_t(8 * kBlock));
  auto* aligned = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<int64_t>(memory.data()), kBlock));
  const auto read_at = [&](int64_t block, int64_t n_blocks) {
    const auto got = direct.read(block * kBlock, {aligned, size_t(n_blocks * kBlock)});
    return std::string(reinterpret_cast<const char*>(aligned), size_t(got.value_or(0)));
  };
  EXPECT_TRUE(read_at(0, 2) == content.substr(0, 2 * kBlock));
  EXPECT_TRUE(read_at(3, 4) == content.substr(3 * kBlock)) << "up to the end of the file";
  EXPECT_EQ(read_at(7, 1), "") << "past it";
}

TEST(DirectReads, ReadWhatEachWouldAlone) {
  const TemporaryDirectory directory;
  constexpr int64_t kBlock = DirectFile::kAlignment;
  const std::string content = letters(20 * kBlock + 17);
  const File file(directory.write("letters", content));
  const DirectFile direct(file);
  if (!direct.is_open()) GTEST_SKIP() << "this file system has no such reads";
  std::vector<std::byte> memory(size_t(40 * kBlock));
  auto* aligned = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<int64_t>(memory.data()), kBlock));
  const std::vector<std::pair<int64_t, int64_t>> stretches{{3, 9}, {18, 6}, {0, 1}, {25, 1}, {7, 2}};  // blocks
  DirectReads at_once;
  for (size_t n = 0; n <= stretches.size(); ++n) {
    std::vector<DirectRead> reads;
    std::byte* out = aligned;
    for (const auto& [begin, n_blocks] : std::span(stretches).first(n)) {
      reads.push_back({&direct, begin * kBlock, {out, size_t(n_blocks * kBlock)}});
      out += n_blocks * kBlock;
    }
    at_once.begin(reads);
    EXPECT_EQ(at_once.finish(), n);
    for (size_t i = 0; i < n; ++i) {
      const auto begin = std::min(size_t(stretches[i].first * kBlock), content.size());
      const std::string expected = content.substr(begin, size_t(stretches[i].second * kBlock));
      ASSERT_EQ(reads[i].n_bytes, int64_t(expected.size())) << i << " of " << n;
      EXPECT_TRUE(std::memcmp(reads[i].out.data(), expected.data(), expected.size()) == 0) << i << " of " << n;
    }
  }
}

TEST(DirectReads, AreWaitedForByWhoLeavesThem) {
  const TemporaryDirectory directory;
  constexpr int64_t kBytes = 16 << 20;
  const File file(directory.write("letters", letters(kBytes)));
  const DirectFile direct(file);
  if (!direct.is_open()) GTEST_SKIP() << "this file system has no such reads";
  std::vector<std::byte> memory(size_t(kBytes + DirectFile::kAlignment));
  auto* aligned =
      reinterpret_cast<std::byte*>(round_up(reinterpret_cast<int64_t>(memory.data()), DirectFile::kAlignment));
  {
    std::array<DirectRead, 1> reads{{{&direct, 0, {aligned, size_t(kBytes)}}}};
    DirectReads at_once;
    at_once.begin(reads);
  }
  // Nothing writes here any more.
  std::fill(memory.begin(), memory.end(), std::byte{0});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(std::all_of(memory.begin(), memory.end(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST(DirectReads, OneThatFailsLeavesTheOthers) {
  const TemporaryDirectory directory;
  const File file(directory.write("ten", "0123456789"));
  const File other(directory.write("other", "abc"));
  const DirectFile direct(file);
  if (!direct.is_open()) GTEST_SKIP() << "this file system has no such reads";
  std::filesystem::rename(directory.write("third", "x"), other.path());
  const DirectFile closed(other);
  alignas(DirectFile::kAlignment) static std::array<std::byte, 3 * DirectFile::kAlignment> blocks;
  const auto block = [&](size_t i) {
    return std::span(blocks).subspan(i * DirectFile::kAlignment, DirectFile::kAlignment);
  };
  DirectReads at_once;
  for (const size_t bad : {0u, 1u, 2u}) {
    std::array<DirectRead, 3> reads;
    for (size_t i = 0; i < 3; ++i) reads[i] = {i == bad ? &closed : &direct, 0, block(i)};
    at_once.begin(reads);
    at_once.finish();
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(reads[i].n_bytes, i == bad ? std::nullopt : std::optional<int64_t>(10)) << i << " beside " << bad;
    }
  }
}

TEST(DirectFile, IsNotOpenWhenTheNameBelongsToAnotherFile) {
  const TemporaryDirectory directory;
  const File file(directory.write("ten", "0123456789"));
  std::filesystem::rename(directory.write("other", "abc"), file.path());
  const DirectFile direct(file);
  EXPECT_FALSE(direct.is_open());
  alignas(DirectFile::kAlignment) static std::byte block[DirectFile::kAlignment];
  EXPECT_FALSE(direct.read(0, block).has_value());
}

TEST(ReadTextFile, ReadsTheWholeOfAFileUpToItsLimit) {
  const TemporaryDirectory directory;
  const std::string text("two\nlines\0and a zero", 20);
  EXPECT_EQ(read_text_file(directory.write("text", text), 20), text);
  EXPECT_EQ(read_text_file(directory.write("empty", ""), 0), "");
  EXPECT_TRUE(contains(error_of(ErrorKind::io, [&] { read_text_file(directory.path() / "text", 19); }),
                       {"text", "20 bytes", "19"}));
}

}  // namespace
}  // namespace paro::test
