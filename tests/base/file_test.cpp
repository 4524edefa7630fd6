#include "base/file.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <utility>
#include <vector>

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
