// A fixed set of threads that run one parallel loop at a time: the caller is one of them. Workers spin for a short time
// between loops, since a decode step has hundreds of them, and sleep after that. A loop waits for those workers only
// that came in while it ran: one that gets no processor costs the others nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace paro {

class ThreadPool {
 public:
  // n_threads counts the caller; at least 1. Throws Error{usage} when the system gives fewer.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int n_threads() const { return n_threads_; }

  // Calls body(thread, n_threads) on the caller as thread 0, and at most once on each worker that is there before the
  // caller's body has returned; returns when those have ended. So the body takes its work from a common store until
  // there is none, and waits for no thread but one that has taken some. The first exception of any of them is thrown
  // to the caller. Not re-entrant; one caller at a time.
  template <typename Body>
  void run(Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_erased([](void* context, int thread, int n_threads) { (*static_cast<Plain*>(context))(thread, n_threads); },
               const_cast<std::remove_const_t<Plain>*>(&body));
  }

  // Cuts [0, n_items) into one contiguous range for each thread, bounds at multiples of `grain`, and calls
  // body(begin, end) on those that are not empty, each taken by whichever thread is free.
  template <typename Body>
  void for_ranges(int64_t n_items, int64_t grain, Body&& body) {
    if (n_items <= grain || n_threads_ == 1) {
      if (n_items > 0) body(int64_t(0), n_items);
      return;
    }
    const int64_t n_grains = (n_items + grain - 1) / grain;
    const int64_t n_ranges = std::min<int64_t>(n_grains, n_threads_);
    for_each(n_ranges, [&](int64_t range) {
      body(n_grains * range / n_ranges * grain, std::min(n_grains * (range + 1) / n_ranges * grain, n_items));
    });
  }

  // Calls body(item) for every item of [0, n_items), each taken by whichever thread is free.
  template <typename Body>
  void for_each(int64_t n_items, Body&& body) {
    if (n_items <= 1 || n_threads_ == 1) {
      for (int64_t i = 0; i < n_items; ++i) body(i);
      return;
    }
    std::atomic<int64_t> next{0};
    run([&](int, int) {
      for (int64_t i = next.fetch_add(1, std::memory_order_relaxed); i < n_items;
           i = next.fetch_add(1, std::memory_order_relaxed))
        body(i);
    });
  }

 private:
  using Invoke = void (*)(void* context, int thread, int n_threads);

  // What a worker sleeps on. It sets the flag itself; whoever wakes it clears it.
  struct alignas(64) Bed {
    std::atomic<int> asleep{0};
  };

  void run_erased(Invoke invoke, void* context);
  void call(int thread);
  void worker(int thread);
  bool enter(uint64_t& seen);
  void wait_for_loop(int thread, uint64_t seen);
  void wake_sleepers();
  void join();

  const int n_threads_;
  // Written by the caller while nobody is in, read by workers that are.
  Invoke invoke_ = nullptr;
  void* context_ = nullptr;

  // The loop's number, whether it is open, and how many workers are in, in one word: a worker that comes late finds
  // another number or a closed door, never another loop's context.
  alignas(64) std::atomic<uint64_t> door_{0};
  alignas(64) std::atomic<int> n_asleep_{0};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;  // guards error_
  std::exception_ptr error_;
  std::vector<Bed> beds_;
  std::vector<std::thread> workers_;
};

}  // namespace paro
