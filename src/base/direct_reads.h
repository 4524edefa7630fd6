// Direct reads of one thread that the disk gets at once, and does while the thread goes on: a small one behind a large
// one costs no round of its own, and the disk need not wait until the thread asks again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/direct_file.h"

namespace paro {

struct DirectRead {
  const DirectFile* file = nullptr;
  int64_t offset_bytes = 0;
  std::span<std::byte> out;
  std::optional<int64_t> n_bytes = {};  // the result, as of DirectFile::read
};

// Where the system has no asynchronous reads, finish() does them one after the other.
class DirectReads {
 public:
  static constexpr size_t kMost = 16;  // at once

  DirectReads();
  ~DirectReads();  // waits for those that are under way
  DirectReads(const DirectReads&) = delete;
  DirectReads& operator=(const DirectReads&) = delete;

  // The reads and what they fill stay where they are until finish(), which comes before the next begin() and says how
  // many there were.
  void begin(std::span<DirectRead> reads);
  size_t finish();

 private:
  class Queue;

  std::unique_ptr<Queue> queue_;  // null where there is none
  std::span<DirectRead> reads_;
  size_t n_begun_ = 0;  // of them, the first
};

}  // namespace paro
