// SIGINT and SIGTERM for a program that ends in order: the first asks it to, the second ends it at once. SIGHUP, which
// ends it at once unless it is told what else to do.
#pragma once

#include <functional>
#include <mutex>
#include <thread>

namespace paro::cli {

class StopSignals {
 public:
  // Call before other threads are started: they inherit that the signals wait for this.
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // What the first signal calls, on a thread of this; until it is set, and after it was reset to nothing, any signal
  // ends the program at once.
  void on_first(std::function<void()> stop);

  // What each SIGHUP calls; until it is set, that ends the program at once too.
  void on_hangup(std::function<void()> reload);

 private:
  void wait();

  std::mutex mutex_;  // guards what follows
  std::function<void()> stop_, reload_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace paro::cli
