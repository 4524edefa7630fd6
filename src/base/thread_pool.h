// A fixed set of threads that run one parallel loop at a time: the caller is one of them. Workers spin for a short time
// between loops, since a decode step has hundreds of them, and sleep after that.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
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

  // Calls body(thread, n_threads) once on every thread and returns when all have ended. The first exception of any of
  // them is thrown to the caller. Not re-entrant; one caller at a time.
  template <typename Body>
  void run(Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_erased([](void* context, int thread, int n_threads) { (*static_cast<Plain*>(context))(thread, n_threads); },
               const_cast<std::remove_const_t<Plain>*>(&body));
  }

  // Cuts [0, n_items) into one contiguous range for each thread, bounds at multiples of `grain`, and calls
  // body(begin, end) on those that are not empty.
  template <typename Body>
  void for_ranges(int64_t n_items, int64_t grain, Body&& body) {
    if (n_items <= grain || n_threads_ == 1) {
      if (n_items > 0) body(int64_t(0), n_items);
      return;
    }
    run([&](int thread, int n_threads) {
      const int64_t n_grains = (n_items + grain - 1) / grain;
      const int64_t begin = n_grains * thread / n_threads * grain;
      const int64_t end = std::min(n_grains * (thread + 1) / n_threads * grain, n_items);
      if (begin < end) body(begin, end);
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

  void run_erased(Invoke invoke, void* context);
  void call(int thread);
  void worker(int thread);
  void join();

  const int n_threads_;
  Invoke invoke_ = nullptr;
  void* context_ = nullptr;

  alignas(64) std::atomic<uint64_t> epoch_{0};  // grows by one with every loop
  alignas(64) std::atomic<int> n_running_{0};   // workers that have not ended the current loop
  std::atomic<int> n_sleeping_{0};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;  // guards sleeping and error_
  std::condition_variable wake_;
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

// Processors that this process may use: affinity and the cgroup's quota, at least 1.
int available_cpus();

}  // namespace paro
