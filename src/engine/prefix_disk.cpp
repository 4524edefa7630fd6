#include "engine/prefix_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace paro {
namespace {

namespace fs = std::filesystem;

// Blocks that wait: what a disk has to catch up with when several long prompts are run at once.
constexpr size_t kMaxQueued = 1024;
// What an engine that closes gives to those.
constexpr std::chrono::seconds kLastWrites{5};

// A new file, on its way to its name.
class NewFile {
 public:
  explicit NewFile(fs::path path) : path_(std::move(path)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ < 0) fail();
  }
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
    std::error_code error;
    if (!path_.empty()) fs::remove(path_, error);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail();
      bytes = bytes.subspan(size_t(n));
    }
  }

  // Waits until it is on the disk, and lets the system forget it: whoever has computed it has it in memory. So the
  // writes of one process never are more of the system's memory than one file.
  void drop_cached() {
#if defined(__linux__)
    ::sync_file_range(fd_, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
#endif
  }

  void take_name(const fs::path& name, PrefixDisk::Time time) {
    if (::close(std::exchange(fd_, -1)) != 0) fail();
    std::error_code error;
    fs::last_write_time(path_, time, error);
    fs::rename(path_, name);
    path_.clear();
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(ErrorKind::io, "cannot write '{}': {}", path_.string(), std::strerror(errno));
  }

  fs::path path_;
  int fd_ = -1;
};

}  // namespace

int64_t PrefixDisk::file_bytes(int64_t block_bytes) {
  return PrefixIndex::units_of(PrefixFileHeader::kBytes + block_bytes) * PrefixIndex::kUnitBytes;
}

int64_t PrefixDisk::memory_bytes(int64_t limit_bytes, int64_t full_bytes) {
  const int64_t n_files = limit_bytes / file_bytes(full_bytes) + 1;
  return n_files * PrefixIndex::kEntryBytes + int64_t((kMaxQueued + 1) * sizeof(Job));
}

PrefixDisk::PrefixDisk(PrefixDirectory directory, int64_t limit_bytes, std::vector<Layer> layers)
    : directory_(std::move(directory)), limit_bytes_(limit_bytes), layers_(std::move(layers)) {
  take_stock();
  thread_ = std::thread([this] { write_jobs(); });
}

PrefixDisk::~PrefixDisk() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    last_write_ = std::chrono::steady_clock::now() + kLastWrites;
    work_.notify_one();
  }
  thread_.join();
}

int64_t PrefixDisk::bytes_of(CacheKind kind) const {
  int64_t sum = 0;
  for (const Layer& layer : layers_) sum += layer.kind == kind ? layer.page_bytes : 0;
  return sum;
}

// What is there, as far as the limit allows: files of others give way to own ones, and of these the oldest.
void PrefixDisk::take_stock() {
  const int64_t full_bytes = PrefixFileHeader::kBytes + bytes_of(CacheKind::full);
  const int64_t all_bytes = full_bytes + bytes_of(CacheKind::sliding);
  directory_.scan([&](const PrefixKey& key, int64_t n_bytes, Time time) {
    std::error_code error;
    if (n_bytes != full_bytes && n_bytes != all_bytes) {
      fs::remove(directory_.file(key), error);
      return;
    }
    index_.put(key, {time, int32_t(PrefixIndex::units_of(n_bytes)), n_bytes == all_bytes});
    if (index_.n_bytes() <= limit_bytes_) return;
    const PrefixKey oldest = *index_.oldest();
    index_.erase(oldest);
    fs::remove(directory_.file(oldest), error);
  });
  others_bytes_ = directory_.others_bytes();
  make_room(0, Time::max());
}

bool PrefixDisk::is_pending(const PrefixKey& key) const {
  return (writing_ && writing_->key == key) ||
         std::any_of(queue_.rbegin(), queue_.rend(), [&](const Job& job) { return job.key == key; });
}

void PrefixDisk::offer(const PrefixBlock& block, const PrefixKey& key, Time used, int32_t full_page,
                       int32_t sliding_page) {
  const std::lock_guard lock(mutex_);
  if (failed_ || queue_.size() >= kMaxQueued || is_pending(key)) return;
  const PrefixIndex::Entry* const entry = index_.find(key);
  if (entry != nullptr && (entry->slides || sliding_page < 0)) return;
  if (block.before != fingerprint() && !is_pending(block.before) && index_.find(block.before) == nullptr) return;
  queue_.push_back({block, key, used, {full_page, sliding_page}});
  work_.notify_one();
}

void PrefixDisk::give_up(CacheKind kind, int32_t page) {
  std::unique_lock lock(mutex_);
  const auto has_page = [&](const Job& job) { return job.pages[size_t(kind)] == page; };
  pages_read_.wait(lock, [&] { return !reads_pages_ || !has_page(*writing_); });
  const auto job = std::find_if(queue_.begin(), queue_.end(), has_page);
  if (job == queue_.end()) return;
  if (kind == CacheKind::full) {
    queue_.erase(job);
  } else {
    job->pages[size_t(kind)] = -1;  // of use all the same, to prompts that go on farther behind
  }
}

void PrefixDisk::touch(const PrefixKey& key, Time used) {
  const std::lock_guard lock(mutex_);
  index_.touch(key, used);
}

bool PrefixDisk::has(const PrefixKey& key, CacheKind kind) const {
  const std::lock_guard lock(mutex_);
  const PrefixIndex::Entry* entry = index_.find(key);
  return entry != nullptr && (kind == CacheKind::full || entry->slides);
}

int64_t PrefixDisk::n_bytes() const {
  const std::lock_guard lock(mutex_);
  return index_.n_bytes() + others_bytes_;
}

bool PrefixDisk::read(const PrefixBlock& block, const PrefixKey& key, CacheKind kind, Time used, int32_t page) {
  const fs::path path = directory_.file(key);
  std::error_code error;
  if (read_file(block, key, kind, page)) {
    const std::lock_guard lock(mutex_);
    index_.touch(key, used);
    fs::last_write_time(path, used, error);
    return true;
  }
  const std::lock_guard lock(mutex_);
  index_.erase(key);
  if (fs::remove(path, error)) log::warn("'{}' is not the block that it should be, and is removed", path.string());
  return false;
}

bool PrefixDisk::read_file(const PrefixBlock& block, const PrefixKey& key, CacheKind kind, int32_t page) const {
  try {
    const File file(directory_.file(key));
    std::array<std::byte, size_t(PrefixFileHeader::kBytes)> bytes;
    file.read_exact(0, bytes);
    const auto header = PrefixFileHeader::parse(bytes);
    if (!header || header->fingerprint != fingerprint() || header->block != block) return false;
    if (header->n_bytes[size_t(CacheKind::full)] != bytes_of(CacheKind::full)) return false;
    if (header->n_bytes[size_t(kind)] != bytes_of(kind)) return false;
    const int64_t n_sliding_bytes = file.size_bytes() - PrefixFileHeader::kBytes - bytes_of(CacheKind::full);
    if (header->n_bytes[size_t(CacheKind::sliding)] != n_sliding_bytes) return false;
    int64_t offset = PrefixFileHeader::kBytes;
    if (kind == CacheKind::sliding) offset += bytes_of(CacheKind::full);
    for (const Layer& layer : layers_) {
      if (layer.kind != kind) continue;
      file.read_exact(offset, page_of(layer, page));
      offset += layer.page_bytes;
    }
    file.drop_cached();
    return checksum_of(kind, page) == header->checksum[size_t(kind)];
  } catch (const Error&) {
    return false;
  }
}

uint64_t PrefixDisk::checksum_of(CacheKind kind, int32_t page) const {
  uint64_t sum = 0;
  for (const Layer& layer : layers_) {
    if (layer.kind == kind) sum = checksum(sum, page_of(layer, page));
  }
  return sum;
}

void PrefixDisk::write_jobs() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty() || (stopping_ && std::chrono::steady_clock::now() > last_write_)) return;
    writing_ = queue_.front();
    queue_.pop_front();
    reads_pages_ = true;
    lock.unlock();
    std::string failure;
    bool written = false;
    try {
      written = write(*writing_);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    lock.lock();
    if (written) {
      const bool slides = writing_->pages[size_t(CacheKind::sliding)] >= 0;
      const int64_t n = bytes_of(CacheKind::full) + (slides ? bytes_of(CacheKind::sliding) : 0);
      index_.put(writing_->key, {writing_->used, int32_t(PrefixIndex::units_of(PrefixFileHeader::kBytes + n)), slides});
    }
    reads_pages_ = false;
    writing_.reset();
    pages_read_.notify_one();
    if (failure.empty()) continue;
    log::warn("{}; prompts are no longer written to the disk", failure);
    failed_ = true;
    queue_.clear();
  }
}

// False: it is not worth it.
bool PrefixDisk::write(const Job& job) {
  PrefixFileHeader header{.fingerprint = fingerprint(), .block = job.block};
  int64_t n_bytes = PrefixFileHeader::kBytes;
  for (const CacheKind kind : {CacheKind::full, CacheKind::sliding}) {
    if (job.pages[size_t(kind)] < 0) continue;
    header.n_bytes[size_t(kind)] = bytes_of(kind);
    n_bytes += bytes_of(kind);
  }
  if (!make_room(PrefixIndex::units_of(n_bytes) * PrefixIndex::kUnitBytes, job.used)) return false;
  {
    const std::lock_guard lock(mutex_);  // what it follows may have been given up since
    if (job.block.before != fingerprint() && index_.find(job.block.before) == nullptr) return false;
  }
  NewFile file(directory_.unfinished(job.key));
  for (const CacheKind kind : {CacheKind::full, CacheKind::sliding}) {
    if (header.n_bytes[size_t(kind)] > 0) header.checksum[size_t(kind)] = checksum_of(kind, job.pages[size_t(kind)]);
  }
  file.write(header.to_bytes());
  for (const CacheKind kind : {CacheKind::full, CacheKind::sliding}) {
    if (header.n_bytes[size_t(kind)] == 0) continue;
    for (const Layer& layer : layers_) {
      if (layer.kind == kind) file.write(page_of(layer, job.pages[size_t(kind)]));
    }
  }
  {
    const std::lock_guard lock(mutex_);
    reads_pages_ = false;
    pages_read_.notify_one();
  }
  file.drop_cached();
  file.take_name(directory_.file(job.key), job.used);
  return true;
}

// Gives up files until there are n_bytes more, those of others first, and none that was used later.
bool PrefixDisk::make_room(int64_t n_bytes, Time used) {
  std::unique_lock lock(mutex_);
  if (const int64_t lacking = index_.n_bytes() + others_bytes_ + n_bytes - limit_bytes_;
      lacking > 0 && others_bytes_ > 0) {
    lock.unlock();
    const int64_t n_free = directory_.remove_others(lacking);
    lock.lock();
    // Where less can be removed than was counted, somebody else has it now.
    others_bytes_ = n_free < lacking ? 0 : others_bytes_ - n_free;
  }
  while (index_.n_bytes() + others_bytes_ + n_bytes > limit_bytes_) {
    const auto oldest = index_.oldest();
    if (!oldest || index_.find(*oldest)->used > used) return false;
    index_.erase(*oldest);
    lock.unlock();
    std::error_code error;
    fs::remove(directory_.file(*oldest), error);
    lock.lock();
  }
  return true;
}

}  // namespace paro
