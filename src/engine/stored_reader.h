// Stored bytes for the loader: from the page cache when they are there, else past it, in large reads that leave what
// the machine has cached alone.
#pragma once

#include <array>
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
  // `files` stay where they are while it reads.
  explicit StoredReader(std::span<const File> files);

  // Memory that a read of n_bytes wants: whole blocks of the file around it.
  static constexpr int64_t room_bytes(int64_t n_bytes) {
    return round_up(n_bytes, DirectFile::kAlignment) + 2 * DirectFile::kAlignment;
  }

  // Reads bytes [begin, begin + n_bytes) of the tensor and returns where in `memory` they begin: an even address at
  // least, four bytes for elements of four. `memory` is aligned to DirectFile::kAlignment.
  const std::byte* read(const StoredTensor& tensor, int64_t begin_bytes, int64_t n_bytes,
                        std::span<std::byte> memory) const;

  // Bytes of one of the files.
  struct Stretch {
    int file = 0;
    int64_t offset_bytes = 0;
    int64_t n_bytes = 0;
  };
  // Reads the stretches of a matrix (codes, scales, zeros) at once, those that lie close to each other by one read, and
  // returns where each begins: at addresses of four bytes.
  using Stretches = std::array<Stretch, 3>;
  std::array<const std::byte*, 3> read(const Stretches& stretches, std::span<std::byte> memory) const;
  static constexpr int64_t room_bytes(const Stretches& stretches) {
    int64_t n_bytes = 0;
    for (const Stretch& s : stretches) n_bytes += room_bytes(s.n_bytes + kGapBytes);
    return n_bytes;
  }

  // Waits until something has had to be read from a disk (true), or until end_wait (false).
  bool wait_for_disk() const;
  void end_wait();

 private:
  enum State : int { kAllCached, kDisk, kEnded };

  // What a read of its own costs, in bytes that could have been read meanwhile.
  static constexpr int64_t kGapBytes = 64 << 10;

  // A stretch on its way into memory. It begins at an address that is aligned as the stretch is in its file, or better.
  struct Reading {
    Stretch stretch;
    std::span<std::byte> memory;
    const std::byte* begin = nullptr;  // once it is there
  };
  void read(std::span<Reading> readings) const;

  const std::span<const File> files_;
  std::vector<DirectFile> direct_;  // [files]
  mutable std::atomic<int> state_{kAllCached};
};

}  // namespace paro
