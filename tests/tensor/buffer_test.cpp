#include "tensor/buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "tests/base/temporary_directory.h"

namespace paro::test {
namespace {

TEST(Buffer, IsZeroedAlignedAndWritableToItsLastByte) {
  for (const int64_t n_bytes :
       {int64_t(1), int64_t(4095), int64_t(4097), (int64_t(2) << 20) - 1, int64_t(2) << 20, (int64_t(5) << 20) + 3}) {
    Buffer buffer(n_bytes, "a test");
    ASSERT_EQ(buffer.n_bytes(), n_bytes);
    ASSERT_EQ(buffer.bytes().size(), size_t(n_bytes));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % Buffer::kAlignment, 0u) << n_bytes;
    const auto bytes = buffer.bytes();
    ASSERT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; })) << n_bytes;
    std::fill(bytes.begin(), bytes.end(), std::byte{0xff});
    ASSERT_EQ(buffer.data()[n_bytes - 1], std::byte{0xff});
  }
}

TEST(Buffer, LeavesPagesToWhoeverTouchesThem) {
  constexpr int64_t kBytes = int64_t(6) << 20;
  Buffer buffer(kBytes, "a test", Buffer::Pages::untouched);
  const auto bytes = buffer.bytes();
  bytes[100] = std::byte{7};
  bytes[5000] = std::byte{8};
  Buffer::touch(bytes.subspan(99, 5000), "a test");
  Buffer::touch(bytes.subspan(size_t(kBytes) - 1), "a test");
  Buffer::touch(bytes.first(0), "a test");
  EXPECT_EQ(bytes[100], std::byte{7}) << "what was written stays";
  EXPECT_EQ(bytes[5000], std::byte{8});
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0}), kBytes - 2);
}

TEST(Buffer, TakesWholePages) {
  EXPECT_EQ(Buffer::resident_bytes(0), 0);
  EXPECT_EQ(Buffer::resident_bytes(1), 4096);
  EXPECT_EQ(Buffer::resident_bytes(4096), 4096);
  EXPECT_EQ(Buffer::resident_bytes(4097), 8192);
  EXPECT_EQ(Buffer::resident_bytes((2 << 20) + 1), 4 << 20);
}

TEST(Buffer, OfNoBytesHoldsNothing) {
  const Buffer buffer(0, "nothing");
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_TRUE(buffer.bytes().empty());
}

TEST(Buffer, HandsItsBytesOverWhenMoved) {
  Buffer first(100, "first");
  first.data()[99] = std::byte{7};
  const std::byte* data = first.data();
  Buffer second(std::move(first));
  EXPECT_EQ(second.data(), data);
  Buffer third(5000, "third");
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(third.n_bytes(), 100);
  EXPECT_EQ(third.data()[99], std::byte{7});
}

TEST(Buffer, ThatCannotBeIsAnErrorThatNamesIt) {
  EXPECT_TRUE(contains(error_of(ErrorKind::memory, [] { Buffer(int64_t(1) << 60, "the moon"); }),
                       {"the moon", "1152921504606846976"}));
}

}  // namespace
}  // namespace paro::test
