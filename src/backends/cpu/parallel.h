// How the threads of one pool run share an op: tickets, taken in order by whichever thread is free. The caller makes
// them before the run; what runs under a ticket does not throw.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/spin.h"
#include "base/thread_pool.h"

namespace paro::cpu {

// Phases follow each other without barriers: a ticket waits until all earlier phases are done, which a thread that got
// no processor cannot hold up unless it has a ticket.
class Tickets {
 public:
  // body(ticket) for tickets [0, n) until none is left.
  template <typename Body>
  void run(int64_t n, Body&& body) {
    for (int64_t i = take(); i < n; i = take()) {
      body(i);
      n_done_.fetch_add(1, std::memory_order_release);
    }
  }

  // Inside a body: returns when tickets [0, n) are done. None past them may be done without having waited as well.
  void wait(int64_t n) const {
    for (Spin spin; n_done_.load(std::memory_order_acquire) < n;) spin.wait();
  }

 private:
  int64_t take() { return next_.fetch_add(1, std::memory_order_relaxed); }

  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<int64_t> n_done_{0};
};

// Weight bytes times rows, or cache bytes times heads, below which waking threads costs more than they bring.
constexpr int64_t kSmallWork = 64 << 10;

// body(thread, n_threads) on the threads that come, or on the caller alone.
template <typename Body>
void run_threads(ThreadPool& pool, bool alone, Body&& body) {
  if (alone) {
    body(0, 1);
  } else {
    pool.run(body);
  }
}

// Work of n units in at most n_parts even parts [begin, end).
struct Parts {
  int64_t n = 0;
  int64_t n_parts = 0;

  Parts(int64_t units, int64_t parts) : n(units), n_parts(units < parts ? units : parts) {}
  int64_t begin(int64_t part) const { return n * part / n_parts; }
  int64_t end(int64_t part) const { return n * (part + 1) / n_parts; }
};

}  // namespace paro::cpu
