// How fast the disk gives a model's files: the measure that cold loading is held against.
#pragma once

#include <cstdint>
#include <span>

#include "base/file.h"

namespace paro::cli {

struct DiskSpeed {
  static constexpr int64_t kProbeBytes = 16 << 20;  // of memory that finding out takes

  double bytes_per_s = 0;
  bool direct = true;  // false: the file system reads through the page cache only, and may have had some there
};

// Reads all of the files with several threads, past the page cache.
DiskSpeed probe_disk(std::span<const File> files);

}  // namespace paro::cli
