#include "base/direct_reads.h"

#include <array>
#include <cerrno>

#if defined(__linux__)
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace paro {
namespace {

void read_in_turn(std::span<DirectRead> reads) {
  for (DirectRead& read : reads) read.n_bytes = read.file->read(read.offset_bytes, read.out);
}

#if defined(__linux__)

constexpr size_t kMostReads = 4;

// The kernel's queue of a thread's reads. The C library has no calls for it.
class ReadQueue {
 public:
  ReadQueue() { is_open_ = ::syscall(SYS_io_setup, unsigned(kMostReads), &context_) == 0; }
  ~ReadQueue() {
    if (is_open_) ::syscall(SYS_io_destroy, context_);
  }
  ReadQueue(const ReadQueue&) = delete;
  ReadQueue& operator=(const ReadQueue&) = delete;

  // Does the first of them at once, and says how many.
  size_t run(std::span<DirectRead> reads) {
    if (!is_open_) return 0;
    std::array<iocb, kMostReads> blocks{};
    std::array<iocb*, kMostReads> list{};
    for (size_t i = 0; i < reads.size(); ++i) {
      blocks[i].aio_data = i;
      blocks[i].aio_lio_opcode = IOCB_CMD_PREAD;
      blocks[i].aio_fildes = uint32_t(reads[i].file->descriptor());
      blocks[i].aio_buf = reinterpret_cast<uint64_t>(reads[i].out.data());
      blocks[i].aio_nbytes = reads[i].out.size();
      blocks[i].aio_offset = reads[i].offset_bytes;
      list[i] = &blocks[i];
    }
    const long n_taken = ::syscall(SYS_io_submit, context_, long(reads.size()), list.data());
    if (n_taken <= 0) return 0;
    std::array<io_event, kMostReads> events{};
    for (long n_left = n_taken; n_left > 0;) {
      const long n = ::syscall(SYS_io_getevents, context_, n_left, n_left, events.data(), nullptr);
      if (n < 0 && errno == EINTR) continue;
      for (long i = 0; i < n; ++i) {
        const io_event& event = events[size_t(i)];
        if (event.res >= 0) reads[event.data].n_bytes = event.res;
      }
      n_left -= n;
    }
    return size_t(n_taken);
  }

 private:
  aio_context_t context_ = 0;
  bool is_open_ = false;
};

#endif

}  // namespace

void read_at_once(std::span<DirectRead> reads) {
#if defined(__linux__)
  if (reads.size() > 1 && reads.size() <= kMostReads) {
    thread_local ReadQueue queue;
    reads = reads.subspan(queue.run(reads));
  }
#endif
  read_in_turn(reads);
}

}  // namespace paro
