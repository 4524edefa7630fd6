// Reading a file past the page cache: what a disk gives, at no cost of copying and of nobody else's cached pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/file.h"

namespace paro {

class DirectFile {
 public:
  // Of positions, sizes and addresses: what every disk is content with.
  static constexpr int64_t kAlignment = 4096;

  // Opens the same file once more; not open where its file system has no such reads.
  explicit DirectFile(const File& file);
  ~DirectFile();
  DirectFile(DirectFile&& other) noexcept;
  DirectFile& operator=(DirectFile&&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int descriptor() const { return fd_; }

  // Reads into `out` and says how many bytes the file had; fewer than asked for only at its end. Nothing if it cannot
  // be read so: then File::read_exact reads it, or knows why not.
  std::optional<int64_t> read(int64_t offset_bytes, std::span<std::byte> out) const;

 private:
  int fd_ = -1;
};

}  // namespace paro
