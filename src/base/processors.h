// How many threads are worth starting: the cores that this process may use, and its container's quota of them.
#pragma once

#include <filesystem>
#include <limits>
#include <vector>

namespace paro {

// Processors that this process may run on, ascending; those of the machine where the system does not tell.
std::vector<int> allowed_processors();

struct Processors {
  int n_cores = 1;                                         // physical, with at least one processor that is allowed
  double quota = std::numeric_limits<double>::infinity();  // processors' worth of time, the least of all groups

  // One for each core, since a second one on a core brings no bandwidth and halves the cache; no more than the quota
  // to the nearest, since those beyond it are all stopped at once. At least 1.
  int n_threads() const;
};

// `root` stands for "/": what is read are files under its proc/ and sys/.
Processors find_processors(const std::filesystem::path& root, const std::vector<int>& allowed);

// Threads to compute with, unless another number is asked for.
int default_threads();

// "0-3,8,10-11" as in files of the kernel. Stops at what it cannot read.
std::vector<int> parse_number_list(const std::string& text);

}  // namespace paro
