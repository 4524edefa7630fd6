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
  static constexpr int64_t room_bytes(std::span<const Stretch> stretches) {
    int64_t n_bytes = 0;
    for (const Stretch& s : stretches) n_bytes += room_bytes(s.n_bytes + kGapBytes);
    return n_bytes;
  }

  // Stretches on their way, those that lie close to each other by one read. A thread has one for all that it reads, one
  // set of stretches after the other.
  class Flight {
   public:
    static constexpr size_t kMostStretches = 9;
    static_assert(kMostStretches <= DirectReads::kMost);

   private:
    friend class StoredReader;

    // It begins at an address that is aligned as the stretch is in its file, or better.
    struct Reading {
      Stretch stretch;
      std::span<std::byte> memory;
      const std::byte* begin = nullptr;  // once it is there
    };

    std::array<Stretch, kMostStretches> stretches_;
    size_t n_stretches_ = 0;
    std::array<Reading, kMostStretches> readings_;
    size_t n_readings_ = 0;
    std::array<size_t, kMostStretches> reading_of_{};  // each stretch
    std::array<DirectRead, kMostStretches> direct_;
    std::array<Reading*, kMostStretches> of_direct_{};
    DirectReads reads_;
  };
  // Between the two the disk is at work, where the system lets it. `memory` is aligned to DirectFile::kAlignment.
  void begin(std::span<const Stretch> stretches, std::span<std::byte> memory, Flight& flight) const;
  // Tells where each stretch begins: at addresses of four bytes.
  void finish(Flight& flight, std::span<const std::byte*> begins) const;

  // Waits until something has had to be read from a disk (true), or until end_wait (false).
  bool wait_for_disk() const;
  void end_wait();

 private:
  enum State : int { kAllCached, kDisk, kEnded };

  // What a read of its own costs, in bytes that could have been read meanwhile.
  static constexpr int64_t kGapBytes = 16 << 10;

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
