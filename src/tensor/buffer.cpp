#include "tensor/buffer.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/align.h"
#include "base/error.h"
#include "base/numa.h"

namespace paro {
namespace {

constexpr int64_t kPage = 4096;
constexpr int64_t kHugePage = 2 << 20;

}  // namespace

int64_t Buffer::resident_bytes(int64_t n_bytes) { return round_up(n_bytes, n_bytes >= kHugePage ? kHugePage : kPage); }

Buffer::Buffer(int64_t n_bytes, const char* what, Pages pages) : n_bytes_(n_bytes) {
  if (n_bytes == 0) return;
  const int64_t resident = resident_bytes(n_bytes);
  const bool huge = resident >= kHugePage;
  // Twice the huge page for the address to be aligned; what lies before is never touched.
  n_mapped_bytes_ = resident + (huge ? kHugePage : 0);
  void* mapped = ::mmap(nullptr, size_t(n_mapped_bytes_), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    throw Error(ErrorKind::memory, "cannot map {} bytes for {}: {}; try a smaller --memory-budget", n_bytes, what,
                std::strerror(errno));
  }
  data_ = static_cast<std::byte*>(mapped);
  if (huge) {
    auto* aligned = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<int64_t>(mapped), kHugePage));
    const int64_t before = aligned - data_;
    if (before > 0) ::munmap(data_, size_t(before));
    const int64_t after = n_mapped_bytes_ - before - resident;
    if (after > 0) ::munmap(aligned + resident, size_t(after));
    data_ = aligned;
    n_mapped_bytes_ = resident;
#if defined(MADV_HUGEPAGE)
    ::madvise(data_, size_t(resident), MADV_HUGEPAGE);
#endif
    spread_over_nodes({data_, size_t(resident)});
  }
  if (pages == Pages::untouched) return;
  try {
    touch({data_, size_t(n_mapped_bytes_)}, what);
  } catch (...) {
    ::munmap(data_, size_t(n_mapped_bytes_));
    throw;
  }
}

void Buffer::touch(std::span<std::byte> stretch, const char* what) {
  if (stretch.empty()) return;
  const int64_t begin = reinterpret_cast<int64_t>(stretch.data()) / kPage * kPage;
  const int64_t n_bytes = round_up(reinterpret_cast<int64_t>(stretch.data() + stretch.size()) - begin, kPage);
#if defined(MADV_POPULATE_WRITE)
  if (::madvise(reinterpret_cast<void*>(begin), size_t(n_bytes), MADV_POPULATE_WRITE) == 0) return;
  if (errno == ENOMEM || errno == EHWPOISON) {
    throw Error(ErrorKind::memory, "the machine has no {} bytes for {}: {}; try a smaller --memory-budget", n_bytes,
                what, std::strerror(errno));
  }
#else
  (void)what;
#endif
  // Written without a change, since others may be writing there.
  for (int64_t i = 0; i < n_bytes; i += kPage) {
    __atomic_fetch_or(reinterpret_cast<unsigned char*>(begin) + i, 0, __ATOMIC_RELAXED);
  }
}

Buffer::~Buffer() {
  if (data_ != nullptr) ::munmap(data_, size_t(n_mapped_bytes_));
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      n_bytes_(std::exchange(other.n_bytes_, 0)),
      n_mapped_bytes_(std::exchange(other.n_mapped_bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(n_bytes_, other.n_bytes_);
  std::swap(n_mapped_bytes_, other.n_mapped_bytes_);
  return *this;
}

}  // namespace paro
