// Reading files: an owned descriptor with positional reads, safe to share between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace paro {

// A file opened for reading. Errors are Error{io} and name the path.
class File {
 public:
  explicit File(std::filesystem::path path);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  int64_t size_bytes() const { return size_bytes_; }
  // Whether a descriptor is of this very file.
  bool is_same(int fd) const;

  // Fills `out` from `offset_bytes`. Interrupted and short reads are continued; an early end of file is an error.
  void read_exact(int64_t offset_bytes, std::span<std::byte> out) const;

  // Fills `out` from what the system holds of the file in memory, waiting for no disk; `out` is spoilt unless all of it
  // was there. Unknown where the system does not tell.
  enum class Cached { all, not_all, unknown };
  Cached read_cached(int64_t offset_bytes, std::span<std::byte> out) const;

  // Lets the system forget what it holds of the file in memory, where it can be asked to.
  void drop_cached() const;

 private:
  bool is_cached(int64_t offset_bytes, int64_t n_bytes) const;

  std::filesystem::path path_;
  int fd_ = -1;
  int64_t size_bytes_ = 0;
};

// The whole of a text file of at most `limit_bytes`.
std::string read_text_file(const std::filesystem::path& path, int64_t limit_bytes);

}  // namespace paro
