// Blocks of prompts on disk, so that they outlive the memory that they were computed in, and the process. A thread
// writes them from the pages in which they lie; they are read into pages when a prompt asks for them.
//
// Nothing is copied, and nothing held, for writing: what a named page holds does not change until the page is given up,
// and whoever gives it up says so here first. A write that has not begun is then dropped, one that has is waited for.
//
// A file gets its name when it is whole as far as this process knows. It is not forced to the disk: its checksums tell
// whether all of it has got there. What cannot be read, or is not what its name says, is removed, and counts as not
// there.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "engine/prefix_directory.h"
#include "engine/prefix_file.h"
#include "engine/prefix_index.h"
#include "ops/batch.h"

namespace paro {

class PrefixDisk {
 public:
  using Time = PrefixIndex::Time;

  // The pages of one layer.
  struct Layer {
    CacheKind kind = CacheKind::full;
    std::byte* pages = nullptr;  // [n_pages, page_bytes]
    int64_t page_bytes = 0;
  };

  // What a block's file counts, of pages of block_bytes in all layers.
  static int64_t file_bytes(int64_t block_bytes);
  // Memory for files of limit_bytes, of blocks that are full_bytes at least.
  static int64_t memory_bytes(int64_t limit_bytes, int64_t full_bytes);

  // Holds files of at most limit_bytes, which is room for one. `layers` stay in place as long as this.
  PrefixDisk(PrefixDirectory directory, int64_t limit_bytes, std::vector<Layer> layers);
  ~PrefixDisk();  // writes what is queued, for a while
  PrefixDisk(const PrefixDisk&) = delete;
  PrefixDisk& operator=(const PrefixDisk&) = delete;

  const PrefixKey& fingerprint() const { return directory_.fingerprint(); }

  // What follows is for one thread, the one that changes pages.

  // A block to be written, if it is not there, and if what it follows is or will be. sliding_page -1: it has none.
  void offer(const PrefixBlock& block, const PrefixKey& key, Time used, int32_t full_page, int32_t sliding_page);
  // The page is about to hold something else; of full attention, the block with all of its pages is given up.
  void give_up(CacheKind kind, int32_t page);
  // Taken over from memory.
  void touch(const PrefixKey& key, Time used);
  bool has(const PrefixKey& key, CacheKind kind) const;
  // Fills the page in all layers of its kind. False: the block is not there any more, and the page is spoilt.
  bool read(const PrefixBlock& block, const PrefixKey& key, CacheKind kind, Time used, int32_t page);

  // For any thread.
  int64_t n_bytes() const;  // of files
  int64_t limit_bytes() const { return limit_bytes_; }

 private:
  struct Job {
    PrefixBlock block;
    PrefixKey key;
    Time used;
    std::array<int32_t, kCacheKinds> pages{};
  };

  void take_stock();
  void write_jobs();
  bool write(const Job& job);
  bool make_room(int64_t n_bytes, Time used);
  bool is_pending(const PrefixKey& key) const;  // queued, or being written
  int64_t bytes_of(CacheKind kind) const;
  std::span<std::byte> page_of(const Layer& layer, int32_t page) const {
    return {layer.pages + page * layer.page_bytes, size_t(layer.page_bytes)};
  }
  uint64_t checksum_of(CacheKind kind, int32_t page) const;
  bool read_file(const PrefixBlock& block, const PrefixKey& key, CacheKind kind, int32_t page) const;

  const PrefixDirectory directory_;
  const int64_t limit_bytes_;
  const std::vector<Layer> layers_;

  mutable std::mutex mutex_;  // guards all that follows
  std::condition_variable work_, pages_read_;
  std::deque<Job> queue_;
  std::optional<Job> writing_;
  bool reads_pages_ = false;  // of writing_
  bool failed_ = false;       // nothing is written any more
  bool stopping_ = false;
  std::chrono::steady_clock::time_point last_write_{};  // once stopping_
  PrefixIndex index_;
  int64_t others_bytes_ = 0;  // of other fingerprints' files
  std::thread thread_;
};

}  // namespace paro
