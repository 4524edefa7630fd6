#include "base/numa.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>

#include "tests/base/fake_tree.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace paro::test {
namespace {

using Nodes = std::vector<int>;
using Mode = MemoryPolicy::Mode;

// Two sockets, and a third node of memory without processors.
class NumaNodes : public testing::Test {
 protected:
  void SetUp() override {
    tree_.file("sys/devices/system/node/has_memory", "0-2\n");
    tree_.file("sys/devices/system/node/node0/cpulist", "0-3\n");
    tree_.file("sys/devices/system/node/node1/cpulist", "4-7\n");
    tree_.file("sys/devices/system/node/node2/cpulist", "\n");
  }
  Nodes nodes(const MemoryPolicy& policy, const std::vector<int>& processors = {0, 1, 2, 3, 4, 5, 6, 7}) const {
    return nodes_to_interleave(tree_.root(), policy, processors);
  }

  FakeTree tree_;
};

TEST_F(NumaNodes, AreThoseOfTheProcessorsThatMayBeUsed) {
  EXPECT_EQ(nodes({}), Nodes({0, 1}));
  EXPECT_EQ(nodes({}, {3, 4}), Nodes({0, 1}));
  EXPECT_EQ(nodes({}, {0, 1, 2}), Nodes()) << "one node needs no spreading";
  EXPECT_EQ(nodes({}, {}), Nodes());
}

TEST_F(NumaNodes, AreThoseThatTheCpusetAllows) {
  EXPECT_EQ(nodes({Mode::local, {}, {0, 1, 2}}), Nodes({0, 1}));
  EXPECT_EQ(nodes({Mode::local, {}, {1}}), Nodes());
}

TEST_F(NumaNodes, AreThoseThatTheProcessIsBoundTo) {
  EXPECT_EQ(nodes({Mode::bind, {1, 2}, {0, 1, 2}}), Nodes({1, 2}));
  EXPECT_EQ(nodes({Mode::bind, {0, 1, 2}, {0, 2}}, {0}), Nodes({0, 2}));
  EXPECT_EQ(nodes({Mode::bind, {1}, {}}), Nodes());
}

TEST_F(NumaNodes, AreLeftToAPolicyThatSomebodyChose) { EXPECT_EQ(nodes({Mode::other, {0, 1}, {0, 1}}), Nodes()); }

TEST_F(NumaNodes, WithoutMemoryDoNotCount) {
  tree_.file("sys/devices/system/node/has_memory", "1\n");
  EXPECT_EQ(nodes({}), Nodes());
}

TEST_F(NumaNodes, AreNoneWhereTheSystemHasNoSuchFiles) {
  EXPECT_EQ(nodes_to_interleave(tree_.root() / "gone", {}, {0, 1}), Nodes());
}

#if defined(__linux__)
TEST(Numa, InterleavesAStretchOfMemory) {
  constexpr size_t kBytes = 1 << 20;
  void* mapped = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  const std::span<std::byte> memory(static_cast<std::byte*>(mapped), kBytes);
  const int error = interleave(memory, {0});
  int mode = -1;
  constexpr unsigned long kOfAddress = 2;
  constexpr int kInterleave = 3;
  const long asked = ::syscall(SYS_get_mempolicy, &mode, nullptr, 0ul, mapped, kOfAddress);
  ::munmap(mapped, kBytes);
  if (error == EPERM || error == ENOSYS) GTEST_SKIP() << "this system has no mbind";
  EXPECT_EQ(error, 0);
  ASSERT_EQ(asked, 0);
  EXPECT_EQ(mode, kInterleave);
}

TEST(Numa, ReportsANodeThatIsNotThere) {
  alignas(4096) static std::byte page[4096];
  EXPECT_NE(interleave(page, {1000}), 0);
}
#endif

TEST(Numa, OfThisMachineCanBeAskedFor) {
  std::byte nothing{7};
  EXPECT_NO_THROW(spread_over_nodes({&nothing, 0}));
  for (const int node : memory_policy().allowed) EXPECT_GE(node, 0);
}

}  // namespace
}  // namespace paro::test
