// Stored bytes for the loader: from the page cache when they are there, else past it, in large reads that leave what
// the machine has cached alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/align.h"
#include "base/direct_file.h"
#include "checkpoint/safetensors.h"

namespace paro {

class StoredReader {
 public:
  explicit StoredReader(const SafetensorsFiles& files);

  const SafetensorsFiles& files() const { return files_; }

  // Memory that a read of n_bytes wants: whole blocks of the file around it.
  static constexpr int64_t room_bytes(int64_t n_bytes) {
    return round_up(n_bytes, DirectFile::kAlignment) + 2 * DirectFile::kAlignment;
  }

  // Reads bytes [begin, begin + n_bytes) of the tensor and returns where in `memory` they begin: an even address at
  // least, four bytes for elements of four. `memory` is aligned to DirectFile::kAlignment.
  const std::byte* read(const StoredTensor& tensor, int64_t begin_bytes, int64_t n_bytes,
                        std::span<std::byte> memory) const;

  // Waits until something has had to be read from a disk (true), or until end_wait (false).
  bool wait_for_disk() const;
  void end_wait();

 private:
  enum State : int { kAllCached, kDisk, kEnded };

  const SafetensorsFiles& files_;
  std::vector<DirectFile> direct_;  // [files]
  mutable std::atomic<int> state_{kAllCached};
};

}  // namespace paro
