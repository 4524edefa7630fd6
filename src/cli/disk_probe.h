// How fast the disk gives a model's files: the measure that cold loading and streaming are held against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/direct_file.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "tensor/buffer.h"

namespace paro::cli {

struct DiskSpeed {
  static constexpr int64_t kProbeBytes = 16 << 20;  // of memory that finding out takes

  double bytes_per_s = 0;
  bool direct = true;  // false: the file system reads through the page cache only, and may have had some there
};

// Reads the files with several threads, past the page cache: as much of them as a disk of a few GB/s gives in half a
// second, from another place each time.
class DiskProbe {
 public:
  explicit DiskProbe(std::span<const File> files);
  DiskSpeed measure();

 private:
  static constexpr int64_t kMeasuredBytes = 1 << 30;
  static constexpr int64_t kReadBytes = 2 << 20;
  static constexpr int kReaders = int(DiskSpeed::kProbeBytes / kReadBytes);

  struct Stretch {
    size_t file = 0;
    int64_t offset_bytes = 0;
    int64_t n_bytes = 0;
  };
  static std::vector<Stretch> cut(std::span<const File> files);

  const std::span<const File> files_;
  const std::vector<Stretch> stretches_;
  std::vector<DirectFile> direct_;
  const Buffer memory_;
  ThreadPool readers_;
  size_t next_ = 0;  // stretch
};

}  // namespace paro::cli
