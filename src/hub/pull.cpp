#include "hub/pull.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "hub/download.h"
#include "hub/repository.h"

namespace paro::hub {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr const char* kRecord = ".pulled.json";  // which commit a directory is of, as the hub told it
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr int64_t kMaxAnswerBytes = 16 << 20;
constexpr int64_t kMaxIndexBytes = 64 << 20;
constexpr int64_t kSpareBytes = 64 << 20;  // of the disk, which are left to others

// Held while one program pulls into a directory.
class Lock {
 public:
  explicit Lock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ < 0) throw Error(ErrorKind::io, "cannot make '{}': {}", path.string(), std::strerror(errno));
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
    ::close(fd_);
    throw Error(ErrorKind::unavailable, "'{}' is held: the same model is being pulled by another program",
                path.string());
  }
  ~Lock() { ::close(fd_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_;
};

fs::path beside(const fs::path& directory, const char* ending) { return directory.string() + ending; }

// What a directory was pulled from; empty where it was not, or where nothing tells.
Repository recorded(const fs::path& directory) {
  const fs::path file = directory / kRecord;
  try {
    return parse_repository(read_text_file(file, kMaxAnswerBytes), file.string());
  } catch (const Error&) {
    return {};
  }
}

void record(const fs::path& directory, const Repository& repository) {
  json::array files;
  for (const RepositoryFile& file : repository.files) {
    json::object entry{{"rfilename", file.name}, {"size", file.size_bytes}};
    if (!file.git_sha1.empty()) entry["blobId"] = file.git_sha1;
    if (!file.sha256.empty()) entry["lfs"] = {{"sha256", file.sha256}};
    files.push_back(std::move(entry));
  }
  const fs::path target = directory / kRecord, written = beside(target, ".new");
  std::ofstream out(written, std::ios::binary);
  out << json::serialize(json::object{{"sha", repository.commit}, {"siblings", std::move(files)}}) << '\n';
  if (!out.flush()) throw Error(ErrorKind::io, "cannot write '{}'", written.string());
  fs::rename(written, target);
}

bool is_same(const RepositoryFile& a, const RepositoryFile& b) {
  return a.size_bytes == b.size_bytes && a.sha256 == b.sha256 && a.git_sha1 == b.git_sha1 &&
         !(a.sha256.empty() && a.git_sha1.empty());
}

bool has_size(const fs::path& file, int64_t n_bytes) {
  std::error_code error;
  return fs::is_regular_file(file, error) && int64_t(fs::file_size(file, error)) == n_bytes;
}

class Pull {
 public:
  explicit Pull(const PullOptions& options)
      : options_(options),
        hub_{.endpoint = options.endpoint,
             .repository = options.repository,
             .revision = options.revision,
             .has_token = !options.token.empty()},
        staging_(beside(options.into, ".partial")) {
    while (hub_.endpoint.ends_with('/')) hub_.endpoint.pop_back();
  }

  Pulled run() {
    std::error_code error;
    fs::create_directories(options_.into.parent_path(), error);
    if (error)
      throw Error(ErrorKind::io, "cannot make '{}': {}", options_.into.parent_path().string(), error.message());
    const Lock lock(beside(options_.into, ".lock"));
    Http http(options_.token);
    const std::string where = fmt::format("hub {}: {}", hub_.endpoint, hub_.repository);
    all_ = parse_repository(get_text(http, hub_, hub_.revision_url(), kMaxAnswerBytes, hub_.repository), where);
    before_ = recorded(options_.into);
    if (before_.commit.empty() && fs::exists(options_.into)) {
      throw Error(ErrorKind::io, "'{}' is there, and was not pulled; move it, or choose another --models-dir",
                  options_.into.string());
    }
    if (before_.commit == all_.commit && is_whole(before_)) return result(before_, true);

    prepare_staging();
    Repository wanted{.commit = all_.commit, .files = {}};
    for (const RepositoryFile& file : all_.files)
      if (is_description(file.name)) wanted.files.push_back(file);
    if (wanted.find("config.json") == nullptr)
      throw Error(ErrorKind::io, "{}: has no config.json; is it a model in Hugging Face layout?", where);
    fetch(wanted.files);
    const std::vector<RepositoryFile> weights = weights_of(where);
    fetch(weights);
    wanted.files.insert(wanted.files.end(), weights.begin(), weights.end());
    record(staging_, wanted);
    put_in_place();
    return result(wanted, false);
  }

 private:
  static Pulled result(const Repository& repository, bool was_there) {
    Pulled pulled{.commit = repository.commit, .n_files = int(repository.files.size()), .was_there = was_there};
    for (const RepositoryFile& file : repository.files) pulled.n_bytes += file.size_bytes;
    return pulled;
  }

  bool is_whole(const Repository& repository) const {
    return std::all_of(repository.files.begin(), repository.files.end(), [&](const RepositoryFile& file) {
      return has_size(options_.into / file.name, file.size_bytes);
    });
  }

  std::vector<RepositoryFile> weights_of(const std::string& where) const {
    std::vector<std::string> names{"model.safetensors"};
    if (all_.find(kIndex) != nullptr) {
      const fs::path index = staging_ / kIndex;
      names = parse_weight_index(read_text_file(index, kMaxIndexBytes), fmt::format("{}: {}", where, kIndex));
    }
    std::vector<RepositoryFile> weights;
    for (const std::string& name : names) {
      const RepositoryFile* file = all_.find(name);
      if (file == nullptr) throw Error(ErrorKind::io, "{}: has no '{}', which a model's weights lie in", where, name);
      weights.push_back(*file);
    }
    return weights;
  }

  // Files that an interrupted run has finished, and those that are the same in the directory as it is, need not come
  // again.
  bool take_over(const RepositoryFile& file) const {
    const fs::path target = staging_ / file.name;
    if (has_size(target, file.size_bytes)) return true;
    const RepositoryFile* old = before_.find(file.name);
    if (old == nullptr || !is_same(*old, file) || !has_size(options_.into / file.name, file.size_bytes)) return false;
    std::error_code error;
    fs::create_hard_link(options_.into / file.name, target, error);
    return !error;
  }

  // Of what an interrupted run left, only that stays which is the same in this commit.
  void prepare_staging() const {
    const Repository staged = recorded(staging_);
    if (staged.commit.empty()) fs::remove_all(staging_);
    fs::create_directories(staging_);
    for (const RepositoryFile& old : staged.files) {
      const RepositoryFile* file = all_.find(old.name);
      if (file != nullptr && is_same(old, *file)) continue;
      for (const char* ending : {"", ".part", ".etag"}) fs::remove(staging_ / (old.name + ending));
    }
    record(staging_, all_);
  }

  void fetch(const std::vector<RepositoryFile>& files) {
    std::vector<const RepositoryFile*> missing;
    for (const RepositoryFile& file : files)
      if (!take_over(file)) missing.push_back(&file);
    check_space(missing);

    n_done_bytes_ = 0;
    n_bytes_ = 0;
    for (const RepositoryFile* file : missing) n_bytes_ += file->size_bytes;
    std::atomic<size_t> next = 0;
    std::exception_ptr failure;
    const auto work = [&] {
      Http http(options_.token);
      for (size_t i = next++; i < missing.size() && !stopped_; i = next++) {
        try {
          download(http, hub_, all_.commit, *missing[i], staging_ / missing[i]->name,
                   [this](int64_t n_bytes) { return advance(n_bytes); });
        } catch (...) {
          const std::lock_guard lock(mutex_);
          if (!failure) failure = std::current_exception();
          stopped_ = true;
        }
      }
    };
    {
      std::vector<std::jthread> threads;
      const size_t n_threads = std::min(missing.size(), size_t(std::max(options_.n_parallel, 1)));
      for (size_t i = 0; i < n_threads; ++i) threads.emplace_back(work);
    }
    if (failure) std::rethrow_exception(failure);
  }

  bool advance(int64_t n_bytes) {
    const std::lock_guard lock(mutex_);
    n_done_bytes_ += n_bytes;
    if (options_.progress) options_.progress(n_done_bytes_, n_bytes_);
    return stopped_;
  }

  void check_space(const std::vector<const RepositoryFile*>& files) const {
    int64_t needed = kSpareBytes;
    for (const RepositoryFile* file : files) {
      std::error_code error;
      const auto there = fs::file_size(staging_ / (file->name + ".part"), error);
      needed += file->size_bytes - (error ? 0 : std::min(int64_t(there), file->size_bytes));
    }
    std::error_code error;
    const fs::space_info space = fs::space(staging_, error);
    if (!error && int64_t(space.available) < needed) {
      throw Error(ErrorKind::io, "'{}' has {} bytes free, expected {}; free some, or choose another --models-dir",
                  staging_.string(), space.available, needed);
    }
  }

  // The directory is never there in part: what reads the old one keeps its files.
  void put_in_place() {
    const fs::path old = beside(options_.into, ".old");
    fs::remove_all(old);
    if (fs::exists(options_.into)) fs::rename(options_.into, old);
    fs::rename(staging_, options_.into);
    fs::remove_all(old);
  }

  const PullOptions& options_;
  Hub hub_;
  const fs::path staging_;
  Repository all_, before_;

  std::mutex mutex_;  // guards what follows
  int64_t n_done_bytes_ = 0, n_bytes_ = 0;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

Pulled pull(const PullOptions& options) {
  if (!is_repository_name(options.repository)) {
    throw Error(ErrorKind::usage, "MODEL is '{}', expected ORG/NAME as the hub has it", options.repository);
  }
  return Pull(options).run();
}

}  // namespace paro::hub
