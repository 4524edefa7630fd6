#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace paro {
namespace {

class ThreadPoolOf : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolOf, RunsEveryThreadOnce) {
  ThreadPool pool(GetParam());
  std::vector<std::atomic<int>> calls(static_cast<size_t>(GetParam()));
  std::mutex mutex;
  std::set<std::thread::id> ids;
  pool.run([&](int thread, int n_threads) {
    EXPECT_EQ(n_threads, GetParam());
    calls[size_t(thread)]++;
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  for (const auto& n : calls) EXPECT_EQ(n.load(), 1);
  EXPECT_EQ(ids.size(), size_t(GetParam()));
  EXPECT_TRUE(ids.contains(std::this_thread::get_id())) << "the caller is one of the threads";
}

TEST_P(ThreadPoolOf, ForEachVisitsEveryItemOnce) {
  ThreadPool pool(GetParam());
  for (const int64_t n_items : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<std::atomic<int>> visits(size_t(n_items) + 1);
    pool.for_each(n_items, [&](int64_t i) { visits[size_t(i)]++; });
    for (int64_t i = 0; i < n_items; ++i) ASSERT_EQ(visits[size_t(i)].load(), 1) << i << " of " << n_items;
    ASSERT_EQ(visits.back().load(), 0) << "past the end of " << n_items;
  }
}

TEST_P(ThreadPoolOf, ForRangesCoversEveryItemOnceInWholeGrains) {
  ThreadPool pool(GetParam());
  for (const int64_t grain : {1, 8, 32}) {
    for (const int64_t n_items : {0, 1, 2, 31, 32, 33, 65, 1000}) {
      std::vector<std::atomic<int>> visits(size_t(n_items) + 1);
      std::atomic<int> n_ranges{0};
      pool.for_ranges(n_items, grain, [&](int64_t begin, int64_t end) {
        n_ranges++;
        EXPECT_LT(begin, end);
        EXPECT_EQ(begin % grain, 0);
        EXPECT_TRUE(end % grain == 0 || end == n_items) << end;
        for (int64_t i = begin; i < end; ++i) visits[size_t(i)]++;
      });
      for (int64_t i = 0; i < n_items; ++i) ASSERT_EQ(visits[size_t(i)].load(), 1) << i << " of " << n_items;
      ASSERT_EQ(visits.back().load(), 0) << "past the end of " << n_items;
      ASSERT_LE(n_ranges.load(), GetParam());
    }
  }
}

TEST_P(ThreadPoolOf, PassesAnExceptionOnAndServesTheNextLoop) {
  ThreadPool pool(GetParam());
  for (int thrower = 0; thrower < GetParam(); ++thrower) {
    try {
      pool.run([&](int thread, int) {
        if (thread == thrower) throw std::runtime_error("thread " + std::to_string(thread));
      });
      ADD_FAILURE() << "the exception of thread " << thrower << " is lost";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(error.what(), "thread " + std::to_string(thrower));
    }
    std::atomic<int> n_calls{0};
    EXPECT_NO_THROW(pool.run([&](int, int) { n_calls++; }));
    EXPECT_EQ(n_calls.load(), GetParam());
  }
}

TEST_P(ThreadPoolOf, ThrowsOneOfManyExceptions) {
  ThreadPool pool(GetParam());
  EXPECT_THROW(pool.run([](int, int) { throw std::runtime_error("all"); }), std::runtime_error);
  EXPECT_NO_THROW(pool.run([](int, int) {}));
}

TEST_P(ThreadPoolOf, WakesThreadsThatWentToSleep) {
  ThreadPool pool(GetParam());
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> n_calls{0};
    pool.run([&](int, int) { n_calls++; });
    ASSERT_EQ(n_calls.load(), GetParam());
  }
}

// 16 and more than the processors of a small machine.
INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolOf, testing::Values(1, 2, 3, 8, 16));

TEST(ThreadPool, RunsManyThousandLoopsInOrder) {
  ThreadPool pool(3);
  int64_t loops = 0;  // written by thread 0 alone, read by all in the next loop
  std::atomic<int64_t> n_calls{0};
  std::atomic<int64_t> n_stale{0};
  constexpr int64_t kLoops = 20000;
  for (int64_t i = 0; i < kLoops; ++i) {
    pool.run([&](int, int) {
      if (loops != i) n_stale++;
      n_calls.fetch_add(1, std::memory_order_relaxed);
    });
    ++loops;
  }
  EXPECT_EQ(n_calls.load(), 3 * kLoops);
  EXPECT_EQ(n_stale.load(), 0);
}

TEST(ThreadPool, StartsAndStopsOftenWithAndWithoutWork) {
  for (int i = 0; i < 100; ++i) {
    ThreadPool pool(4);
    if (i % 2 == 0) continue;
    std::atomic<int> n_calls{0};
    pool.run([&](int, int) { n_calls++; });
    ASSERT_EQ(n_calls.load(), 4);
  }
}

TEST(AvailableCpus, LieBetweenOneAndTheMachines) {
  EXPECT_GE(available_cpus(), 1);
  EXPECT_LE(available_cpus(), int(std::max(1u, std::thread::hardware_concurrency())));
}

}  // namespace
}  // namespace paro
