#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/error.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace paro {
namespace {

// Long enough to bridge the serial code between two loops of a step, short enough not to burn an idle server.
constexpr int kSpinsBeforeYield = 2000;
constexpr auto kSpinTime = std::chrono::microseconds(200);

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int n_threads) : n_threads_(n_threads) {
  PARO_CHECK(n_threads >= 1, "{} threads", n_threads);
  try {
    for (int i = 1; i < n_threads_; ++i) workers_.emplace_back([this, i] { worker(i); });
  } catch (const std::system_error& error) {
    const size_t n_started = workers_.size() + 1;
    join();
    throw Error(ErrorKind::usage, "only {} of {} threads can be started: {}; lower --threads or raise the limit",
                n_started, n_threads_, error.what());
  }
}

ThreadPool::~ThreadPool() { join(); }

void ThreadPool::join() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    epoch_.fetch_add(1);
  }
  wake_.notify_all();
  for (auto& thread : workers_) thread.join();
}

void ThreadPool::run_erased(Invoke invoke, void* context) {
  invoke_ = invoke;
  context_ = context;
  n_running_.store(n_threads_ - 1, std::memory_order_relaxed);
  epoch_.fetch_add(1);  // sequentially consistent against n_sleeping_: a worker sees the epoch or is seen to sleep
  if (n_sleeping_.load() > 0) {
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
  }
  call(0);
  for (int spins = 0; n_running_.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < kSpinsBeforeYield) {
      pause_cpu();
    } else {
      std::this_thread::yield();
    }
  }
  if (error_) [[unlikely]]
    std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::call(int thread) {
  try {
    invoke_(context_, thread, n_threads_);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
}

void ThreadPool::worker(int thread) {
  uint64_t seen = 0;
  while (true) {
    int spins = 0;
    std::chrono::steady_clock::time_point spin_end{};
    while (epoch_.load(std::memory_order_acquire) == seen) {
      pause_cpu();
      if (++spins % kSpinsBeforeYield != 0) continue;
      const auto now = std::chrono::steady_clock::now();
      if (spin_end == std::chrono::steady_clock::time_point{}) spin_end = now + kSpinTime;
      if (now < spin_end) {
        std::this_thread::yield();
        continue;
      }
      std::unique_lock lock(mutex_);
      n_sleeping_.fetch_add(1);
      wake_.wait(lock, [&] { return epoch_.load() != seen; });
      n_sleeping_.fetch_sub(1);
    }
    ++seen;
    if (stopping_) return;
    call(thread);
    n_running_.fetch_sub(1, std::memory_order_release);
  }
}

int available_cpus() {
  int n = int(std::max(1u, std::thread::hardware_concurrency()));
#if defined(__linux__)
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) n = std::max(1, CPU_COUNT(&set));
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period_us = 0;
  if (file >> quota >> period_us && quota != "max" && period_us > 0) {
    n = std::clamp(int(std::stod(quota) / period_us + 0.5), 1, n);
  }
#endif
  return n;
}

}  // namespace paro
