#include "cli/peer_bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"

extern char** environ;

namespace paro::cli {

namespace json = boost::json;

namespace {

// Standard output of a program that is run without a shell; its standard error is dropped.
std::string output_of(std::vector<std::string> command) {
  const auto fail = [&](int error) {
    return Error(ErrorKind::io, "cannot run '{}': {}", command.front(), std::strerror(error));
  };
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) throw fail(errno);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addclose(&actions, pipe[0]);
  ::posix_spawn_file_actions_addclose(&actions, pipe[1]);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, command.front().c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  if (error != 0) {
    ::close(pipe[0]);
    throw fail(error);
  }
  std::string output;
  std::array<char, 4096> piece{};
  while (true) {
    const ssize_t n = ::read(pipe[0], piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    output.append(piece.data(), size_t(n));
  }
  ::close(pipe[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw Error(ErrorKind::io, "'{}' failed with {}; run it by hand to see why", command.front(),
                WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                  : fmt::format("signal {}", WTERMSIG(status)));
  }
  return output;
}

}  // namespace

LlamaBench::LlamaBench(const std::string& spec) {
  constexpr std::string_view kPrefix = "llama-bench:";
  const size_t colon = spec.find(':', kPrefix.size());
  if (!spec.starts_with(kPrefix) || colon == std::string::npos || colon + 1 == spec.size()) {
    throw Error(ErrorKind::usage, "--compare is '{}', expected llama-bench:PROGRAM:MODEL.gguf", spec);
  }
  program_ = spec.substr(kPrefix.size(), colon - kPrefix.size());
  model_ = spec.substr(colon + 1);
}

PeerResult LlamaBench::run(int n_prompt, int n_decode, int n_threads) const {
  const std::string output =
      output_of({program_.string(), "-m", model_.string(), "-p", std::to_string(n_prompt), "-n",
                 std::to_string(n_decode), "-t", std::to_string(n_threads), "-r", "1", "-o", "json"});
  PeerResult result;
  boost::system::error_code error;
  const json::value value = json::parse(output, error);
  if (!error && value.is_array()) {
    for (const json::value& entry : value.get_array()) {
      if (!entry.is_object()) continue;
      const auto number = [&](const char* key) {
        const json::value* member = entry.get_object().if_contains(key);
        return member != nullptr && member->is_number() ? member->to_number<double>() : 0;
      };
      (number("n_gen") > 0 ? result.decode_tokens_per_s : result.prefill_tokens_per_s) = number("avg_ts");
    }
  }
  if (!(result.prefill_tokens_per_s > 0 && result.decode_tokens_per_s > 0)) {
    throw Error(ErrorKind::io, "'{}' printed no tokens per second for prefill and decoding", program_.string());
  }
  return result;
}

}  // namespace paro::cli
