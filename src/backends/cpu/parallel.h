// How the threads of one pool run share an op: items from a counter, and barriers between its phases. The caller
// makes them before the run; what runs between barriers does not throw.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/thread_pool.h"

namespace paro::cpu {

// All threads of a run wait for each other. Spins for a while, then lets others run, since a neighbour may hold the
// processor that a thread waits for.
class Barrier {
 public:
  explicit Barrier(int n_threads) : n_threads_(n_threads) {}

  void wait() {
    if (n_threads_ == 1) return;
    const uint32_t round = round_.load(std::memory_order_relaxed);
    if (n_arrived_.fetch_add(1, std::memory_order_acq_rel) == n_threads_ - 1) {
      n_arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
      if (spins < 4000) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  const int n_threads_;
  alignas(64) std::atomic<int> n_arrived_{0};
  alignas(64) std::atomic<uint32_t> round_{0};
};

// Items [0, n), each taken by whichever thread is free.
class Items {
 public:
  template <typename Body>
  void run(int64_t n, Body&& body) {
    for (int64_t i = next_.fetch_add(1, std::memory_order_relaxed); i < n;
         i = next_.fetch_add(1, std::memory_order_relaxed))
      body(i);
  }
  void reset() { next_.store(0, std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<int64_t> next_{0};
};

// This thread's even share [begin, end) of n units.
struct Share {
  int64_t begin = 0;
  int64_t end = 0;

  Share(int64_t n, int thread, int n_threads) : begin(n * thread / n_threads), end(n * (thread + 1) / n_threads) {}
  bool empty() const { return begin == end; }
};

}  // namespace paro::cpu
