#include "base/direct_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/check.h"

namespace paro {

DirectFile::DirectFile([[maybe_unused]] const File& file) {
#if defined(O_DIRECT)
  fd_ = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_DIRECT);
  // The name may belong to another file by now.
  if (fd_ >= 0 && !file.is_same(fd_)) ::close(std::exchange(fd_, -1));
#endif
}

DirectFile::~DirectFile() {
  if (fd_ >= 0) ::close(fd_);
}

DirectFile::DirectFile(DirectFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

std::optional<int64_t> DirectFile::read(int64_t offset_bytes, std::span<std::byte> out) const {
  PARO_CHECK(offset_bytes % kAlignment == 0 && int64_t(out.size()) % kAlignment == 0 &&
                 reinterpret_cast<intptr_t>(out.data()) % kAlignment == 0,
             "{} bytes at {}", out.size(), offset_bytes);
  if (fd_ < 0) return {};
  int64_t done = 0;
  while (done < int64_t(out.size())) {
    const ssize_t got = ::pread(fd_, out.data() + done, out.size() - size_t(done), offset_bytes + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {};
    done += got;
    if (got % kAlignment != 0 || got == 0) break;  // the end of the file
  }
  return done;
}

}  // namespace paro
