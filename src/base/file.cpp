#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
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

bool File::is_same(int fd) const {
  struct stat own {};
  struct stat other {};
  return ::fstat(fd_, &own) == 0 && ::fstat(fd, &other) == 0 && own.st_dev == other.st_dev &&
         own.st_ino == other.st_ino;
}

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

#if defined(RWF_NOWAIT)
namespace {

// As the kernel's cachestat(2) takes and fills them; the C library has no names for them yet.
struct CacheRange {
  uint64_t offset_bytes, n_bytes;
};
struct CacheStatus {
  uint64_t n_cached_pages, n_dirty, n_writeback, n_evicted, n_recently_evicted;
};
constexpr long kCacheStat = 451;

std::optional<int64_t> cached_pages(int fd, int64_t offset_bytes, int64_t n_bytes) {
  const CacheRange range{uint64_t(offset_bytes), uint64_t(n_bytes)};
  CacheStatus status{};
  if (::syscall(kCacheStat, fd, &range, &status, 0u) != 0) return {};
  return int64_t(status.n_cached_pages);
}

}  // namespace

// Asked before the read, since a read that does not wait still sets the disk to work. Says yes where the system keeps
// it from those who may not write the file.
bool File::is_cached(int64_t offset_bytes, int64_t n_bytes) const {
  constexpr int64_t kPagesAtOnce = 1024;
  const int64_t page = ::sysconf(_SC_PAGESIZE);
  unsigned char in_memory[kPagesAtOnce];
  const int64_t end = offset_bytes + n_bytes;
  if (const auto n_pages = cached_pages(fd_, offset_bytes, n_bytes)) {
    return *n_pages >= (end + page - 1) / page - offset_bytes / page;
  }
  for (int64_t begin = offset_bytes / page * page; begin < end; begin += kPagesAtOnce * page) {
    const size_t n = size_t(std::min(end - begin, kPagesAtOnce * page));
    void* mapped = ::mmap(nullptr, n, PROT_READ, MAP_SHARED, fd_, begin);  // never touched
    if (mapped == MAP_FAILED) return true;
    const bool known = ::mincore(mapped, n, in_memory) == 0;
    ::munmap(mapped, n);
    unsigned char* const last = in_memory + (int64_t(n) + page - 1) / page;
    if (known && !std::all_of(in_memory, last, [](unsigned char flags) { return (flags & 1) != 0; })) return false;
  }
  return true;
}
#endif

File::Cached File::read_cached(int64_t offset_bytes, std::span<std::byte> out) const {
#if defined(RWF_NOWAIT)
  if (!is_cached(offset_bytes, int64_t(out.size()))) return Cached::not_all;
  size_t done = 0;
  while (done < out.size()) {
    const iovec part{out.data() + done, out.size() - done};
    const ssize_t got = ::preadv2(fd_, &part, 1, offset_bytes + int64_t(done), RWF_NOWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN ? Cached::not_all : Cached::unknown;
    if (got == 0) return Cached::not_all;
    done += size_t(got);
  }
  return Cached::all;
#else
  (void)offset_bytes, (void)out;
  return Cached::unknown;
#endif
}

void File::drop_cached() const {
#if defined(POSIX_FADV_DONTNEED)
  ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
#endif
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
