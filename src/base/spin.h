// Waiting for another thread that is about to be done: briefly on the processor, then yielding it, since the other one
// may need it.
#pragma once

#include <thread>

namespace paro {

inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Spin {
 public:
  void wait() {
    if (is_yielding()) {
      std::this_thread::yield();
    } else {
      pause_cpu();
      ++n_;
    }
  }
  bool is_yielding() const { return n_ >= kSpins; }

 private:
  // 10 to 40 microseconds, as long as one pause takes from 20 to 80 nanoseconds.
  static constexpr int kSpins = 500;

  int n_ = 0;
};

}  // namespace paro
