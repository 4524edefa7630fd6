// Files that the system holds in memory, and not.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

namespace paro::test {

// Writes back what is dirty and drops it from memory; false where that cannot be had.
inline bool drop_from_memory([[maybe_unused]] const std::filesystem::path& path) {
#if defined(POSIX_FADV_DONTNEED)
  const int fd = ::open(path.c_str(), O_RDWR);
  const bool dropped = ::fsync(fd) == 0 && ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
  ::close(fd);
  return dropped;
#else
  return false;
#endif
}

}  // namespace paro::test
