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
#include "base/direct_reads.h"
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
  using Stretches = std::array<Stretch, 3>;  // codes, scales and zeros of a matrix
  static constexpr int64_t room_bytes(const Stretches& stretches) {
    int64_t n_bytes = 0;
    for (const Stretch& s : stretches) n_bytes += room_bytes(s.n_bytes + kGapBytes);
    return n_bytes;
  }

  // The stretches of a matrix on their way, those that lie close to each other by one read. A thread has one for all
  // that it reads, one matrix after the other.
  class Flight {
    friend class StoredReader;

    // It begins at an address that is aligned as the stretch is in its file, or better.
    struct Reading {
      Stretch stretch;
      std::span<std::byte> memory;
      const std::byte* begin = nullptr;  // once it is there
    };

    Stretches stretches_;
    std::array<Reading, 3> readings_;
    size_t n_readings_ = 0;
    std::array<size_t, 3> reading_of_{};  // each stretch
    std::array<DirectRead, 3> direct_;
    std::array<Reading*, 3> of_direct_{};
    DirectReads reads_;
  };
  // Between the two the disk is at work, where the system lets it. `memory` is aligned to DirectFile::kAlignment.
  void begin(const Stretches& stretches, std::span<std::byte> memory, Flight& flight) const;
  // Returns where each stretch begins: at addresses of four bytes.
  std::array<const std::byte*, 3> finish(Flight& flight) const;

  // Waits until something has had to be read from a disk (true), or until end_wait (false).
  bool wait_for_disk() const;
  void end_wait();

 private:
  enum State : int { kAllCached, kDisk, kEnded };

  // What a read of its own costs, in bytes that could have been read meanwhile.
  static constexpr int64_t kGapBytes = 64 << 10;

  using Reading = Flight::Reading;
  bool read_cached(Reading& reading) const;
  void read_exact(Reading& reading) const;
  DirectRead direct_read(const Reading& reading) const;
  void take(Reading& reading, const DirectRead& read) const;

  const std::span<const File> files_;
  std::vector<DirectFile> direct_;  // [files]
  mutable std::atomic<int> state_{kAllCached};
};

}  // namespace paro
