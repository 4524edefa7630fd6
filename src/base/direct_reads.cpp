#include "base/direct_reads.h"

#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"

#if defined(__linux__)
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace paro {

#if defined(__linux__)

// The kernel's. The C library has no calls for it.
class DirectReads::Queue {
 public:
  static std::unique_ptr<Queue> open() {
    aio_context_t context = 0;
    if (::syscall(SYS_io_setup, unsigned(kMost), &context) != 0) return nullptr;
    return std::unique_ptr<Queue>(new Queue(context));
  }
  ~Queue() { ::syscall(SYS_io_destroy, context_); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Begins the first of them, and says how many.
  size_t begin(std::span<DirectRead> reads) {
    std::array<iocb, kMost> blocks{};
    std::array<iocb*, kMost> list{};
    for (size_t i = 0; i < reads.size(); ++i) {
      blocks[i].aio_data = i;
      blocks[i].aio_lio_opcode = IOCB_CMD_PREAD;
      blocks[i].aio_fildes = uint32_t(reads[i].file->descriptor());
      blocks[i].aio_buf = reinterpret_cast<uint64_t>(reads[i].out.data());
      blocks[i].aio_nbytes = reads[i].out.size();
      blocks[i].aio_offset = reads[i].offset_bytes;
      list[i] = &blocks[i];
    }
    const long n = ::syscall(SYS_io_submit, context_, long(reads.size()), list.data());
    return n > 0 ? size_t(n) : 0;
  }

  void finish(std::span<DirectRead> begun) {
    std::array<io_event, kMost> events{};
    for (long n_left = long(begun.size()); n_left > 0;) {
      const long n = ::syscall(SYS_io_getevents, context_, n_left, n_left, events.data(), nullptr);
      PARO_CHECK(n >= 0 || errno == EINTR, "io_getevents: {}", errno);
      for (long i = 0; i < n; ++i) {
        const io_event& event = events[size_t(i)];
        if (event.res >= 0) begun[event.data].n_bytes = event.res;
      }
      if (n > 0) n_left -= n;
    }
  }

 private:
  explicit Queue(aio_context_t context) : context_(context) {}

  const aio_context_t context_;
};

#else

class DirectReads::Queue {
 public:
  static std::unique_ptr<Queue> open() { return nullptr; }
  size_t begin(std::span<DirectRead>) { return 0; }
  void finish(std::span<DirectRead>) {}
};

#endif

DirectReads::DirectReads() : queue_(Queue::open()) {}

DirectReads::~DirectReads() = default;  // of the queue, which waits

void DirectReads::begin(std::span<DirectRead> reads) {
  PARO_CHECK(reads_.empty() && reads.size() <= kMost, "{} reads beside {}", reads.size(), reads_.size());
  reads_ = reads;
  n_begun_ = queue_ && !reads.empty() ? queue_->begin(reads) : 0;
}

size_t DirectReads::finish() {
  if (n_begun_ > 0) queue_->finish(reads_.first(n_begun_));
  for (DirectRead& read : reads_.subspan(n_begun_)) read.n_bytes = read.file->read(read.offset_bytes, read.out);
  n_begun_ = 0;
  return std::exchange(reads_, {}).size();
}

}  // namespace paro
