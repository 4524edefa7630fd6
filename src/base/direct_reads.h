// Several direct reads of one thread that the disk gets at once: a small one behind a large one costs no round of its
// own.
#pragma once

#include <cstddef>
#include <cstdint>
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

// Does them all. One after the other where the system has no asynchronous reads.
void read_at_once(std::span<DirectRead> reads);

}  // namespace paro
