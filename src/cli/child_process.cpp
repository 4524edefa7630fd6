#include "cli/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

extern char** environ;

namespace paro::cli {
namespace {

constexpr size_t kMaxOutputBytes = 16 << 20;
constexpr std::array kStopSignals = {SIGINT, SIGTERM, SIGHUP};

// The group that a signal ends with us. While it is being made, a signal waits.
constexpr pid_t kNone = 0, kStarting = -1;
std::atomic<pid_t> running_group{kNone};
std::atomic<int> waiting_signal{0};

void end_by(int signal) {
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void on_stop_signal(int signal) {
  const pid_t group = running_group.load();
  if (group == kStarting) {
    waiting_signal = signal;
    return;
  }
  if (group != kNone) ::kill(-group, SIGKILL);
  end_by(signal);
}

// Catches signals that end the program, as long as it lives.
class StopHandlers {
 public:
  StopHandlers() {
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    for (size_t i = 0; i < kStopSignals.size(); ++i) ::sigaction(kStopSignals[i], &action, &before_[i]);
  }
  ~StopHandlers() {
    for (size_t i = 0; i < kStopSignals.size(); ++i) ::sigaction(kStopSignals[i], &before_[i], nullptr);
  }
  StopHandlers(const StopHandlers&) = delete;
  StopHandlers& operator=(const StopHandlers&) = delete;

 private:
  std::array<struct sigaction, kStopSignals.size()> before_{};
};

class Child {
 public:
  Child(std::vector<std::string> command, Capture capture) : name_(command.front()) {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) throw cannot_run(errno);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, pipe[1], STDOUT_FILENO);
    if (capture == Capture::output_and_errors) {
      ::posix_spawn_file_actions_adddup2(&files, pipe[1], STDERR_FILENO);
    } else {
      ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    ::posix_spawn_file_actions_addclose(&files, pipe[0]);
    ::posix_spawn_file_actions_addclose(&files, pipe[1]);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);

    running_group = kStarting;
    const int error = ::posix_spawnp(&id_, name_.c_str(), &files, &attributes, arguments.data(), environ);
    running_group = error == 0 ? id_ : kNone;
    if (const int signal = waiting_signal.exchange(0)) on_stop_signal(signal);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&files);
    ::close(pipe[1]);
    output_ = pipe[0];
    if (error != 0) {
      ::close(output_);
      throw cannot_run(error);
    }
  }

  ~Child() {
    if (!waited_) end();
    ::close(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::string read_until(std::chrono::steady_clock::time_point deadline, std::chrono::seconds timeout) {
    constexpr int kSliceMs = 50;
    std::string text;
    std::array<char, 65536> piece{};
    bool open = true;
    while (open || !has_exited()) {
      if (std::chrono::steady_clock::now() > deadline) {
        throw Error(ErrorKind::io, "'{}' is not done after {} s; run it by hand to see why, or allow it more", name_,
                    timeout.count());
      }
      pollfd waiting{open ? output_ : -1, POLLIN, 0};
      if (::poll(&waiting, 1, kSliceMs) <= 0) {
        // Something that it left behind may hold the pipe without end.
        if (has_exited()) break;
        continue;
      }
      const ssize_t n = ::read(output_, piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) open = false;
      if (n > 0) text.append(piece.data(), size_t(n));
      if (text.size() > kMaxOutputBytes) {
        throw Error(ErrorKind::io, "'{}' printed more than {} bytes, expected some figures", name_, kMaxOutputBytes);
      }
    }
    return text;
  }

  // After it has exited.
  void check_exit() {
    const int status = end();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    throw Error(ErrorKind::io, "'{}' failed with {}; run it by hand to see why", name_,
                WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                  : fmt::format("signal {}", WTERMSIG(status)));
  }

 private:
  Error cannot_run(int error) const { return Error(ErrorKind::io, "cannot run '{}': {}", name_, std::strerror(error)); }

  // Without giving its number back.
  bool has_exited() const {
    siginfo_t info{};
    return ::waitid(P_PID, id_t(id_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == id_;
  }

  // The group is killed, with what the program left behind, before its first process is waited for: until then no other
  // can have its number.
  int end() {
    ::kill(-id_, SIGKILL);
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    waited_ = true;
    running_group = kNone;
    return status;
  }

  std::string name_;
  pid_t id_ = 0;
  int output_ = -1;
  bool waited_ = false;
};

}  // namespace

std::string run_child(const std::vector<std::string>& command, Capture capture, std::chrono::seconds timeout) {
  const StopHandlers handlers;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  Child child(command, capture);
  std::string text = child.read_until(deadline, timeout);
  child.check_exit();
  return text;
}

}  // namespace paro::cli
