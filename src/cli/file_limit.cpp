#include "cli/file_limit.h"

#include <sys/resource.h>

#include "base/error.h"

namespace paro::cli {

void allow_connections(int n_connections) {
  constexpr int kOwnFiles = 256;  // of the model, the log, and clients that are told that they are too many
  const auto needed = static_cast<rlim_t>(n_connections + kOwnFiles);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
  if (limit.rlim_max < needed) {
    throw Error(ErrorKind::usage,
                "--max-connections {} takes {} open files, the system allows {} (ulimit -n); ask for fewer",
                n_connections, needed, limit.rlim_max);
  }
  limit.rlim_cur = needed;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace paro::cli
