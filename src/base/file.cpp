#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace paro {

File::File(std::filesystem::path path) : path_(std::move(path)) {
  // Not to wait for a writer where the name is a pipe; regular files are read as ever.
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) throw Error(ErrorKind::io, "cannot open '{}': {}", path_.string(), std::strerror(errno));
  struct stat status {};
  if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd_);
    throw Error(ErrorKind::io, "'{}' is not a regular file", path_.string());
  }
  size_bytes_ = status.st_size;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_bytes_(other.size_bytes_) {}

void File::read_exact(int64_t offset_bytes, std::span<std::byte> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(fd_, out.data() + done, out.size() - done, offset_bytes + int64_t(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Error(ErrorKind::io, "cannot read '{}' at byte {}: {}", path_.string(), offset_bytes + int64_t(done),
                  std::strerror(errno));
    }
    if (got == 0) {
      throw Error(ErrorKind::io, "'{}' ends at byte {}, expected {} bytes at {}; is it still being written?",
                  path_.string(), offset_bytes + int64_t(done), out.size(), offset_bytes);
    }
    done += size_t(got);
  }
}

std::string read_text_file(const std::filesystem::path& path, int64_t limit_bytes) {
  const File file(path);
  if (file.size_bytes() > limit_bytes) {
    throw Error(ErrorKind::io, "'{}' has {} bytes, more than the {} that such a file may have", path.string(),
                file.size_bytes(), limit_bytes);
  }
  std::string text(size_t(file.size_bytes()), '\0');
  file.read_exact(0, std::as_writable_bytes(std::span(text)));
  return text;
}

}  // namespace paro
