#include "base/thread_pool.h"

#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/spin.h"

namespace paro {
namespace {

// The door: loop number, open, workers inside.
constexpr uint64_t kInside = 0xffff;
constexpr uint64_t kOpen = 1 << 16;
constexpr uint64_t kNextLoop = 1 << 17;

constexpr uint64_t loop_of(uint64_t door) { return door / kNextLoop; }

// Long enough to bridge the serial code between two loops of a step, short enough not to burn an idle server.
constexpr auto kSpinTime = std::chrono::microseconds(200);

}  // namespace

ThreadPool::ThreadPool(int n_threads) : n_threads_(n_threads), beds_(size_t(std::max(1, n_threads))) {
  PARO_CHECK(n_threads >= 1 && n_threads <= int(kInside), "{} threads", n_threads);
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
  stopping_.store(true);
  wake_sleepers();
  for (auto& thread : workers_) thread.join();
}

void ThreadPool::run_erased(Invoke invoke, void* context) {
  invoke_ = invoke;
  context_ = context;
  // Nobody is in and the door is shut, so that only this thread writes it. Sequentially consistent against n_asleep_:
  // a worker sees the loop or is seen to sleep.
  door_.store((loop_of(door_.load(std::memory_order_relaxed)) + 1) * kNextLoop + kOpen);
  if (n_asleep_.load() > 0) wake_sleepers();
  call(0);
  uint64_t door = door_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (Spin spin; (door & kInside) != 0; door = door_.load(std::memory_order_acquire)) spin.wait();
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

// Enters the loop that is open, unless this worker has been in it; `seen` is the last one that it was in.
bool ThreadPool::enter(uint64_t& seen) {
  uint64_t door = door_.load(std::memory_order_acquire);
  while ((door & kOpen) != 0 && loop_of(door) != seen) {
    if (!door_.compare_exchange_weak(door, door + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    seen = loop_of(door);
    return true;
  }
  return false;
}

void ThreadPool::worker(int thread) {
  uint64_t seen = 0;
  while (true) {
    if (enter(seen)) {
      call(thread);
      door_.fetch_sub(1, std::memory_order_release);
    } else {
      wait_for_loop(thread, seen);
      if (stopping_.load(std::memory_order_relaxed)) return;
    }
  }
}

// Returns when the pool stops or a loop is open that is not `seen`; it may be shut again by then.
void ThreadPool::wait_for_loop(int thread, uint64_t seen) {
  const auto called = [&](uint64_t door) { return stopping_.load() || ((door & kOpen) != 0 && loop_of(door) != seen); };
  const auto spin_end = std::chrono::steady_clock::now() + kSpinTime;
  for (Spin spin; !called(door_.load(std::memory_order_acquire)); spin.wait()) {
    if (spin.is_yielding() && std::chrono::steady_clock::now() >= spin_end) {
      std::atomic<int>& asleep = beds_[size_t(thread)].asleep;
      n_asleep_.fetch_add(1);
      asleep.store(1);
      if (called(door_.load())) {
        // Either this thread takes its flag back, or somebody is waking it.
        if (asleep.exchange(0) == 1) n_asleep_.fetch_sub(1);
        return;
      }
      asleep.wait(1);
      return;
    }
  }
}

void ThreadPool::wake_sleepers() {
  for (Bed& bed : beds_) {
    if (bed.asleep.load() == 0 || bed.asleep.exchange(0) == 0) continue;
    n_asleep_.fetch_sub(1);
    bed.asleep.notify_one();
  }
}

}  // namespace paro
