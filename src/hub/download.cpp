#include "hub/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "hub/digest.h"

namespace paro::hub {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 5;  // without a byte of progress
constexpr int kMostRetryAfterS = 60;
constexpr int64_t kMaxEtagBytes = 1 << 10;

bool may_pass(int status) { return status == 408 || status == 429 || status >= 500; }

// Doubles from half a second, unless the hub says how long.
void pause_after(int n_attempts, const HttpAnswer& answer) {
  const auto usual = std::chrono::milliseconds(500 << std::min(n_attempts - 1, 4));
  std::this_thread::sleep_for(answer.retry_after_s < 0 ? usual : std::chrono::seconds(answer.retry_after_s));
}

bool is_worth_waiting(const HttpAnswer& answer) {
  return may_pass(answer.status) && answer.retry_after_s <= kMostRetryAfterS;
}

// What came of a file so far, with the ETag that it came under.
class Part {
 public:
  Part(const fs::path& target, const RepositoryFile& file)
      : file_(file),
        path_(target.string() + ".part"),
        etag_path_(target.string() + ".etag"),
        digest_(std::in_place, file) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) throw failure("cannot make");
    resume();
  }
  ~Part() { ::close(fd_); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  int64_t n_bytes() const { return n_bytes_; }
  const std::string& etag() const { return etag_; }

  // Forgets what there is.
  void begin(const std::string& etag) {
    n_bytes_ = 0;
    digest_.emplace(file_);
    if (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) != 0) throw failure("cannot write");
    etag_ = etag;
    std::ofstream(etag_path_, std::ios::binary) << etag;
  }

  void append(std::span<const char> bytes) {
    if (n_bytes_ + int64_t(bytes.size()) > file_.size_bytes) {
      remove();
      throw Error(ErrorKind::io, "'{}': the hub sends more than the {} bytes that it told; pull again", file_.name,
                  file_.size_bytes);
    }
    digest_->add(bytes);
    while (!bytes.empty()) {
      const ssize_t n_written = ::write(fd_, bytes.data(), bytes.size());
      if (n_written < 0 && errno == EINTR) continue;
      if (n_written < 0) throw failure("cannot write");
      bytes = bytes.subspan(size_t(n_written));
      n_bytes_ += n_written;
    }
  }

  void remove() {
    std::error_code ignored;
    fs::remove(path_, ignored);
    fs::remove(etag_path_, ignored);
  }

  // Checks it, and gives it its name.
  void finish(const fs::path& target) {
    try {
      digest_->check(fmt::format("'{}'", file_.name));
    } catch (const Error&) {
      remove();
      throw;
    }
    if (::fsync(fd_) != 0) throw failure("cannot write");
    fs::rename(path_, target);
    std::error_code ignored;
    fs::remove(etag_path_, ignored);
  }

 private:
  void resume() {
    std::error_code error;
    if (!fs::exists(etag_path_, error)) return;
    etag_ = read_text_file(etag_path_, kMaxEtagBytes);
    std::vector<char> bytes(1 << 20);
    ssize_t n_read = 0;
    while ((n_read = ::read(fd_, bytes.data(), bytes.size())) > 0) {
      digest_->add({bytes.data(), size_t(n_read)});
      n_bytes_ += n_read;
    }
    if (n_read < 0 || n_bytes_ > file_.size_bytes || etag_.empty()) begin("");
  }

  Error failure(std::string_view what) const {
    return Error(ErrorKind::io, "{} '{}': {}", what, path_.string(), std::strerror(errno));
  }

  const RepositoryFile& file_;
  const fs::path path_, etag_path_;
  int fd_ = -1;
  int64_t n_bytes_ = 0;
  std::string etag_;
  std::optional<Digest> digest_;
};

}  // namespace

std::string Hub::revision_url() const {
  return fmt::format("{}/api/models/{}/revision/{}?blobs=true", endpoint, repository, url_encoded_part(revision));
}

std::string Hub::file_url(const std::string& commit, const std::string& name) const {
  return fmt::format("{}/{}/resolve/{}/{}", endpoint, repository, commit, url_encoded_path(name));
}

void Hub::fail(const HttpAnswer& answer, const std::string& what) const {
  const std::string head = fmt::format("hub {}: {}: status {}", endpoint, what, answer.status);
  switch (answer.status) {
    case 401:
      throw Error(ErrorKind::io, "{}: {}", head,
                  has_token ? "the token of HF_TOKEN is not accepted; is it valid, and the name right?"
                            : "there is no such repository, or it is private; is the name right? Set HF_TOKEN for a "
                              "private or gated one");
    case 403:
      throw Error(ErrorKind::io, "{}: access is denied; {}", head,
                  has_token ? "its terms may have to be accepted on its page, by the owner of the token"
                            : "set HF_TOKEN to a token of someone who may read it");
    case 404:
      throw Error(ErrorKind::not_found, "{}: not found; is the name right, and the revision '{}'?", head, revision);
    case 429:
      throw Error(ErrorKind::unavailable, "{}: too many requests; try again {}", head,
                  answer.retry_after_s >= 0 ? fmt::format("in {} s", answer.retry_after_s) : "later");
    default:
      throw Error(ErrorKind::io, "{}: {}; try again later", head, answer.error.empty() ? "?" : answer.error);
  }
}

void Hub::fail(const ConnectionFailure& failure, const std::string& what) const {
  throw Error(ErrorKind::io, "hub {}: {}: {}; {}", endpoint, what, failure.message,
              failure.unreachable ? "is this machine offline? What was pulled before needs no network"
                                  : "pull again to go on where it ended");
}

std::string get_text(Http& http, const Hub& hub, const std::string& url, int64_t limit_bytes, const std::string& what) {
  for (int n_attempts = 1;; ++n_attempts) {
    std::string text;
    HttpAnswer answer;
    try {
      answer = http.get(url, {}, [&](const HttpAnswer&, std::span<const char> bytes) {
        text.append(bytes.data(), bytes.size());
        return int64_t(text.size()) <= limit_bytes;
      });
    } catch (const ConnectionFailure& failure) {
      if (failure.unreachable || n_attempts == kAttempts) hub.fail(failure, what);
      pause_after(n_attempts, answer);
      continue;
    }
    if (int64_t(text.size()) > limit_bytes)
      throw Error(ErrorKind::io, "hub {}: {}: more than {} bytes; is it a hub?", hub.endpoint, what, limit_bytes);
    if (answer.status == 200) return text;
    if (!is_worth_waiting(answer) || n_attempts == kAttempts) hub.fail(answer, what);
    pause_after(n_attempts, answer);
  }
}

bool download(Http& http, const Hub& hub, const std::string& commit, const RepositoryFile& file, const fs::path& target,
              const Advance& advance) {
  Part part(target, file);
  if (advance(part.n_bytes())) return false;
  int64_t furthest = part.n_bytes();
  bool began_anew = false;  // though there was something to go on from
  for (int n_attempts = 1; part.n_bytes() < file.size_bytes; ++n_attempts) {
    std::vector<std::string> headers;
    if (part.n_bytes() > 0) {
      headers.push_back(fmt::format("Range: bytes={}-", part.n_bytes()));
      headers.push_back("If-Range: " + part.etag());
    }
    bool begun = false, is_other_range = false, stopped = false;
    HttpAnswer answer;
    std::optional<ConnectionFailure> failure;
    try {
      answer =
          http.get(hub.file_url(commit, file.name), headers, [&](const HttpAnswer& head, std::span<const char> bytes) {
            is_other_range = !begun && head.status == 206 && head.first_byte != part.n_bytes();
            if (is_other_range) return false;
            if (!begun && head.status == 200) {
              advance(-part.n_bytes());
              part.begin(head.etag);
            }
            begun = true;
            part.append(bytes);
            stopped = advance(int64_t(bytes.size()));
            return !stopped;
          });
    } catch (const ConnectionFailure& broken) {
      failure = broken;
    }
    if (stopped) return false;
    if (part.n_bytes() == file.size_bytes) break;
    if (part.n_bytes() > furthest) n_attempts = 0;
    furthest = std::max(furthest, part.n_bytes());
    if (failure) {
      if (failure->unreachable || n_attempts == kAttempts) hub.fail(*failure, file.name);
    } else if ((is_other_range || answer.status == 416) && !began_anew) {
      began_anew = true;
      advance(-part.n_bytes());
      part.begin("");
      continue;
    } else if (answer.is_complete()) {
      const int64_t n_bytes = part.n_bytes();
      part.remove();
      throw Error(ErrorKind::io, "hub {}: {}: it sends {} bytes, expected the {} that it told; pull again",
                  hub.endpoint, file.name, n_bytes, file.size_bytes);
    } else if (!is_worth_waiting(answer) || n_attempts == kAttempts) {
      hub.fail(answer, file.name);
    }
    pause_after(std::max(n_attempts, 1), answer);
  }
  part.finish(target);
  return true;
}

}  // namespace paro::hub
