#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "base/spin.h"

#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace paro {
namespace {

class ThreadPoolOf : public testing::TestWithParam<int> {};

// Every thread of the pool: stays in the body until all are there.
class Gathering {
 public:
  explicit Gathering(int n_expected) : n_expected_(n_expected) {}
  void join() {
    n_here_++;
    while (n_here_ < n_expected_) std::this_thread::yield();
  }

 private:
  const int n_expected_;
  std::atomic<int> n_here_{0};
};

TEST_P(ThreadPoolOf, RunsOnEveryThreadThatComes) {
  ThreadPool pool(GetParam());
  for (int loop = 0; loop < 20; ++loop) {
    std::vector<std::atomic<int>> calls(static_cast<size_t>(GetParam()));
    std::mutex mutex;
    std::set<std::thread::id> ids;
    Gathering all(GetParam());
    pool.run([&](int thread, int n_threads) {
      EXPECT_EQ(n_threads, GetParam());
      calls[size_t(thread)]++;
      {
        const std::lock_guard lock(mutex);
        ids.insert(std::this_thread::get_id());
      }
      all.join();
    });
    for (const auto& n : calls) EXPECT_EQ(n.load(), 1);
    EXPECT_EQ(ids.size(), size_t(GetParam()));
    EXPECT_TRUE(ids.contains(std::this_thread::get_id())) << "the caller is one of the threads";
  }
}

TEST_P(ThreadPoolOf, RunsTheCallerOnceAndWorkersAtMostOnce) {
  ThreadPool pool(GetParam());
  const auto caller = std::this_thread::get_id();
  for (int loop = 0; loop < 2000; ++loop) {
    std::vector<std::atomic<int>> calls(static_cast<size_t>(GetParam()));
    std::atomic<int> n_wrong{0};
    pool.run([&](int thread, int) {
      calls[size_t(thread)]++;
      if ((thread == 0) != (std::this_thread::get_id() == caller)) n_wrong++;
    });
    ASSERT_EQ(n_wrong.load(), 0);
    ASSERT_EQ(calls[0].load(), 1);
    for (const auto& n : calls) ASSERT_LE(n.load(), 1);
  }
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
    Gathering all(GetParam());
    try {
      pool.run([&](int thread, int) {
        all.join();
        if (thread == thrower) throw std::runtime_error("thread " + std::to_string(thread));
      });
      ADD_FAILURE() << "the exception of thread " << thrower << " is lost";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(error.what(), "thread " + std::to_string(thrower));
    }
    std::atomic<int> n_calls{0};
    EXPECT_NO_THROW(pool.for_each(100, [&](int64_t) { n_calls++; }));
    EXPECT_EQ(n_calls.load(), 100);
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
    Gathering all(GetParam());
    pool.run([&](int, int) { all.join(); });
  }
}

// Loops of every length, from those that end before a worker wakes to those that all of them share. Their contexts lie
// where the loop before had its own; a worker that came into the wrong loop would count there.
TEST_P(ThreadPoolOf, KeepsWorkersThatComeLateOutOfLaterLoops) {
  ThreadPool pool(GetParam());
  for (int64_t loop = 0; loop < 3000; ++loop) {
    struct Context {
      int64_t loop;
      std::atomic<int64_t> next{0}, n_done{0}, n_wrong{0};
    } context{loop};
    const int64_t n_items = loop % 7 == 0 ? 200 : loop % 3;
    pool.run([&context, n_items, loop](int, int) {
      if (context.loop != loop) context.n_wrong++;
      while (context.next++ < n_items) context.n_done++;
    });
    ASSERT_EQ(context.n_done.load(), n_items);
    ASSERT_EQ(context.n_wrong.load(), 0);
    if (loop % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// 16 and more than the processors of a small machine.
INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolOf, testing::Values(1, 2, 3, 8, 16));

TEST(ThreadPool, RunsManyThousandLoopsInOrder) {
  ThreadPool pool(3);
  int64_t loops = 0;  // written by the caller alone, read by all in the next loop
  std::atomic<int64_t> n_items{0};
  std::atomic<int64_t> n_stale{0};
  constexpr int64_t kLoops = 20000;
  for (int64_t i = 0; i < kLoops; ++i) {
    pool.for_each(3, [&](int64_t) {
      if (loops != i) n_stale++;
      n_items.fetch_add(1, std::memory_order_relaxed);
    });
    ++loops;
  }
  EXPECT_EQ(n_items.load(), 3 * kLoops);
  EXPECT_EQ(n_stale.load(), 0);
}

TEST(ThreadPool, StartsAndStopsOftenWithAndWithoutWork) {
  for (int i = 0; i < 100; ++i) {
    ThreadPool pool(4);
    if (i % 2 == 0) continue;
    std::atomic<int> n_items{0};
    pool.for_each(4, [&](int64_t) { n_items++; });
    ASSERT_EQ(n_items.load(), 4);
  }
}

#if defined(__linux__)
// One worker is put where another thread never yields, with the lowest weight: it gets the processor once in a while.
TEST(ThreadPool, DoesNotWaitForAWorkerThatGetsNoProcessor) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  if (CPU_COUNT(&before) < 2) GTEST_SKIP() << "needs two processors";
  int last = CPU_SETSIZE - 1;
  while (!CPU_ISSET(last, &before)) --last;
  cpu_set_t one, others = before;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  CPU_CLR(last, &others);

  ThreadPool pool(2);
  Gathering all(2);
  pool.run([&](int thread, int) {
    if (thread == 1) {
      ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
      ASSERT_EQ(::setpriority(PRIO_PROCESS, id_t(::gettid()), 19), 0);
    }
    all.join();
  });
  std::atomic<bool> stop{false};
  std::thread competitor([&] {
    ::sched_setaffinity(0, sizeof one, &one);
    while (!stop) pause_cpu();
  });
  ASSERT_EQ(::sched_setaffinity(0, sizeof others, &others), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));

  // The worker's share is 15 of 1039: loops that wait for it take a time slice of the competitor each.
  const auto start = std::chrono::steady_clock::now();
  constexpr int kLoops = 2000;
  for (int i = 0; i < kLoops; ++i) pool.for_each(2, [](int64_t) { std::this_thread::yield(); });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  stop = true;
  competitor.join();
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_LT(seconds, kLoops * 0.5e-3);
}
#endif

}  // namespace
}  // namespace paro
