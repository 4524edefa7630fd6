#include "base/processors.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/base/fake_tree.h"

namespace paro::test {
namespace {

using Numbers = std::vector<int>;

TEST(NumberList, ReadsNumbersAndRanges) {
  EXPECT_EQ(parse_number_list("0"), Numbers({0}));
  EXPECT_EQ(parse_number_list("0-3,8,10-11\n"), Numbers({0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(parse_number_list("7,2"), Numbers({2, 7}));
}

TEST(NumberList, StopsAtWhatItCannotRead) {
  EXPECT_EQ(parse_number_list(""), Numbers());
  EXPECT_EQ(parse_number_list("\n"), Numbers());
  EXPECT_EQ(parse_number_list("1,x,3"), Numbers({1}));
  EXPECT_EQ(parse_number_list("1-"), Numbers());
  EXPECT_EQ(parse_number_list("3-1"), Numbers());
  EXPECT_EQ(parse_number_list("-4"), Numbers());
  EXPECT_EQ(parse_number_list("0-2000000000"), Numbers());
  EXPECT_EQ(parse_number_list("99999999999"), Numbers());
}

// Two sockets of two cores, each with two processors numbered as Linux does.
void two_sockets(const FakeTree& tree) {
  tree.file("sys/devices/system/cpu/online", "0-7\n");
  tree.cores({"0,4", "1,5", "2,6", "3,7"});
}

TEST(Processors, CountSiblingsOnce) {
  FakeTree tree;
  two_sockets(tree);
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3, 4, 5, 6, 7}).n_threads(), 4);
}

TEST(Processors, CountOnlyWhatIsAllowed) {
  FakeTree tree;
  two_sockets(tree);
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 4, 5}).n_threads(), 2);  // a socket
  EXPECT_EQ(find_processors(tree.root(), {4, 5, 6}).n_threads(), 3);     // second processors of three cores
  EXPECT_EQ(find_processors(tree.root(), {3, 7}).n_threads(), 1);
}

TEST(Processors, LeaveOutWhatIsOffline) {
  FakeTree tree;
  tree.file("sys/devices/system/cpu/online", "0-1,3\n");
  tree.cores({"0", "1", "3"});
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3}).n_threads(), 3);
}

TEST(Processors, AreCoresOfTheirOwnWhereNoSiblingsAreKnown) {
  FakeTree tree;
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2}).n_threads(), 3);
  EXPECT_EQ(find_processors(tree.root() / "gone", {5}).n_threads(), 1);
  EXPECT_EQ(find_processors(tree.root(), {}).n_threads(), 1);
}

struct Quota {
  const char* name;
  const char* line;
  int n_threads;
};

class CpuMax : public testing::TestWithParam<Quota> {};

TEST_P(CpuMax, LimitsThreadsToTheNearest) {
  FakeTree tree;
  two_sockets(tree);
  tree.file("proc/self/cgroup", "0::/\n");
  tree.file("sys/fs/cgroup/cpu.max", GetParam().line);
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3, 4, 5, 6, 7}).n_threads(), GetParam().n_threads);
}

INSTANTIATE_TEST_SUITE_P(Quotas, CpuMax,
                         testing::Values(Quota{"None", "max 100000\n", 4}, Quota{"Whole", "200000 100000\n", 2},
                                         Quota{"BelowOne", "20000 100000\n", 1}, Quota{"Up", "150000 100000\n", 2},
                                         Quota{"Down", "140000 100000\n", 1}, Quota{"Large", "9900000 100000\n", 4},
                                         Quota{"Empty", "", 4}, Quota{"Broken", "some 100000\n", 4},
                                         Quota{"NoPeriod", "100000\n", 4}, Quota{"ZeroPeriod", "100000 0\n", 4}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(Processors, KeepTheLeastQuotaOfAllGroupsAbove) {
  FakeTree tree;
  two_sockets(tree);
  tree.file("proc/self/cgroup", "0::/pod/service/own\n");
  tree.file("sys/fs/cgroup/pod/service/own/cpu.max", "max 100000\n");
  tree.file("sys/fs/cgroup/pod/service/cpu.max", "300000 100000\n");
  tree.file("sys/fs/cgroup/pod/cpu.max", "200000 100000\n");
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3}).n_threads(), 2);
  tree.file("sys/fs/cgroup/pod/service/own/cpu.max", "50000 50000\n");
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3}).n_threads(), 1);
  tree.file("sys/fs/cgroup/pod/service/other/cpu.max", "1000 100000\n");
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3}).quota, 1.0) << "of a group that is not ours";
}

TEST(Processors, FindTheirGroupAtTheMountOfAContainer) {
  FakeTree tree;
  two_sockets(tree);
  tree.file("proc/self/cgroup", "0::/docker/0123456789abcdef\n");
  tree.file("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3}).n_threads(), 2);
}

TEST(Processors, KeepQuotasOfVersionOne) {
  FakeTree tree;
  two_sockets(tree);
  tree.file("proc/self/cgroup", "9:name=systemd:/\n4:cpu,cpuacct:/pod/own\n3:cpuset:/\n0::/\n");
  const auto quota = [&](const std::string& group, const char* quota_us) {
    tree.file("sys/fs/cgroup/" + group + "/cpu.cfs_quota_us", quota_us);
    tree.file("sys/fs/cgroup/" + group + "/cpu.cfs_period_us", "100000\n");
  };
  quota("cpu,cpuacct/pod/own", "-1\n");
  quota("cpuset/pod/own", "100000\n");
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3}).n_threads(), 4);
  quota("cpu,cpuacct/pod", "300000\n");
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3}).n_threads(), 3);
  quota("cpu/pod/own", "70000\n");  // the name of a link to the same group
  EXPECT_EQ(find_processors(tree.root(), {0, 1, 2, 3}).n_threads(), 1);
}

TEST(Processors, OfThisMachineAreAtLeastOneAndNoMoreThanAllowed) {
  const Numbers allowed = allowed_processors();
  ASSERT_FALSE(allowed.empty());
  EXPECT_GE(default_threads(), 1);
  EXPECT_LE(default_threads(), int(allowed.size()));
}

}  // namespace
}  // namespace paro::test
