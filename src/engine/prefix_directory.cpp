#include "engine/prefix_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/prefix_index.h"

namespace paro {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUnfinished = ".part";

// A folder that this process alone has, as long as the descriptor is open; -1: another one has it, or it cannot be had.
int lock_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

bool is_at(int fd, const fs::path& folder) {
  struct stat own {};
  struct stat there {};
  return ::fstat(fd, &own) == 0 && ::stat(folder.c_str(), &there) == 0 && own.st_dev == there.st_dev &&
         own.st_ino == there.st_ino;
}

struct Name {
  PrefixKey key;
  bool is_whole = false;
};

// Of a file of ours.
std::optional<Name> name_of(const fs::path& file) {
  const std::string name = file.filename().string();
  std::string_view hex = name;
  const bool is_whole = !hex.ends_with(kUnfinished);
  if (!is_whole) hex.remove_suffix(kUnfinished.size());
  const auto key = PrefixKey::parse(hex);
  if (!key) return {};
  return Name{*key, is_whole};
}

// Files that vanish meanwhile, and folders that cannot be read, are as good as not there.
void for_each_file(const fs::path& folder, const std::function<bool(const fs::directory_entry&, const Name&)>& take) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code own;
    const auto name = name_of(it->path());
    if (!name || it->symlink_status(own).type() != fs::file_type::regular) continue;
    if (!take(*it, *name)) return;
  }
}

int64_t counted_bytes(const fs::directory_entry& entry) {
  std::error_code error;
  const auto n_bytes = entry.file_size(error);
  return error ? 0 : PrefixIndex::units_of(int64_t(n_bytes)) * PrefixIndex::kUnitBytes;
}

// Folders of other fingerprints that no process has.
void for_each_other(const fs::path& root, const fs::path& own, const std::function<bool(const fs::path&)>& take) {
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    if (it->path() == own || !PrefixKey::parse(it->path().filename().string())) continue;
    const int lock = lock_folder(it->path());
    if (lock < 0) continue;
    const bool goes_on = take(it->path());
    ::close(lock);
    if (!goes_on) return;
  }
}

}  // namespace

PrefixDirectory::PrefixDirectory(fs::path root, const PrefixKey& fingerprint)
    : root_(std::move(root)), fingerprint_(fingerprint), own_(root_ / fingerprint.hex()) {
  open();
}

PrefixDirectory::~PrefixDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

PrefixDirectory::PrefixDirectory(PrefixDirectory&& other) noexcept
    : root_(std::move(other.root_)),
      fingerprint_(other.fingerprint_),
      own_(std::move(other.own_)),
      lock_(std::exchange(other.lock_, -1)) {}

void PrefixDirectory::open() {
  // Another process may remove it, empty as it is, before it is locked.
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    std::error_code error;
    fs::create_directories(own_, error);
    if (error) throw Error(ErrorKind::io, "--prefix-disk: cannot make '{}': {}", own_.string(), error.message());
    lock_ = lock_folder(own_);
    if (lock_ < 0 && errno == EWOULDBLOCK) {
      throw Error(
          ErrorKind::usage,
          "--prefix-disk: '{}' is in use by a process that runs the same model; give each a directory of its own",
          root_.string());
    }
    if (lock_ < 0 && errno != ENOENT) {
      throw Error(ErrorKind::io, "--prefix-disk: cannot open '{}': {}", own_.string(), std::strerror(errno));
    }
    if (lock_ < 0) continue;
    if (is_at(lock_, own_)) return;
    ::close(std::exchange(lock_, -1));
  }
  throw Error(ErrorKind::io, "--prefix-disk: '{}' is removed as often as it is made", own_.string());
}

fs::path PrefixDirectory::file(const PrefixKey& key) const { return own_ / key.hex(); }

fs::path PrefixDirectory::unfinished(const PrefixKey& key) const { return own_ / key.hex().append(kUnfinished); }

void PrefixDirectory::scan(const Found& found) const {
  for_each_file(own_, [&](const fs::directory_entry& entry, const Name& name) {
    std::error_code error;
    const auto n_bytes = entry.file_size(error);
    const auto time = error ? fs::file_time_type() : entry.last_write_time(error);
    if (name.is_whole && !error) {
      found(name.key, int64_t(n_bytes), time);
    } else {
      fs::remove(entry.path(), error);
    }
    return true;
  });
}

int64_t PrefixDirectory::others_bytes() const {
  int64_t sum = 0;
  for_each_other(root_, own_, [&](const fs::path& folder) {
    for_each_file(folder, [&](const fs::directory_entry& entry, const Name&) {
      sum += counted_bytes(entry);
      return true;
    });
    return true;
  });
  return sum;
}

int64_t PrefixDirectory::remove_others(int64_t n_bytes) const {
  int64_t n_free = 0;
  for_each_other(root_, own_, [&](const fs::path& folder) {
    std::error_code error;
    for_each_file(folder, [&](const fs::directory_entry& entry, const Name&) {
      const int64_t n = counted_bytes(entry);
      if (fs::remove(entry.path(), error)) n_free += n;
      return n_free < n_bytes;
    });
    fs::remove(folder, error);  // unless something is left in it
    return n_free < n_bytes;
  });
  return n_free;
}

}  // namespace paro
