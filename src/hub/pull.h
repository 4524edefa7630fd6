// A model from a hub into a directory: the files that it consists of, several at a time. The directory is there once
// all of them are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace paro::hub {

struct PullOptions {
  std::string endpoint;    // URL of the hub
  std::string repository;  // ORG/NAME
  std::string revision = "main";
  std::string token;                                                    // empty: none
  std::filesystem::path into;                                           // the directory to make
  int n_parallel = 4;                                                   // files at a time
  std::function<void(int64_t n_done_bytes, int64_t n_bytes)> progress;  // on one thread at a time
};

struct Pulled {
  std::string commit;
  int n_files = 0;
  int64_t n_bytes = 0;
  bool was_there = false;  // this very commit: nothing was downloaded
};

// What was interrupted goes on where it ended. A directory of another commit is replaced at the end, and what is the
// same in both is not downloaded again. Throws Error.
Pulled pull(const PullOptions& options);

}  // namespace paro::hub
