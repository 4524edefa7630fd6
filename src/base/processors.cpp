#include "base/processors.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "base/cgroup.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace paro {
namespace {

constexpr int kMostNumbers = 1 << 16;

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// Cores among the processors that are allowed and online: one for each set of siblings.
int count_cores(const std::filesystem::path& root, const std::vector<int>& allowed) {
  const auto cpus = root / "sys/devices/system/cpu";
  const std::vector<int> online = parse_number_list(first_line(cpus / "online"));
  std::set<int> cores;
  for (const int cpu : allowed) {
    if (!online.empty() && !std::binary_search(online.begin(), online.end(), cpu)) continue;
    const auto topology = cpus / ("cpu" + std::to_string(cpu)) / "topology";
    const std::vector<int> siblings = parse_number_list(first_line(topology / "thread_siblings_list"));
    cores.insert(siblings.empty() ? cpu : siblings.front());
  }
  return std::max(1, int(cores.size()));
}

// Of one group: the time that it gets of every period, in processors.
double quota_of(const CgroupDirectory& group) {
  double quota_us = 0;
  double period_us = 0;
  if (group.v2) {
    std::istringstream line(first_line(group.path / "cpu.max"));  // "max 100000" or "150000 100000"
    line >> quota_us >> period_us;
  } else {
    std::ifstream(group.path / "cpu.cfs_quota_us") >> quota_us;  // -1 for none
    std::ifstream(group.path / "cpu.cfs_period_us") >> period_us;
  }
  return quota_us > 0 && period_us > 0 ? quota_us / period_us : std::numeric_limits<double>::infinity();
}

}  // namespace

std::vector<int> parse_number_list(const std::string& text) {
  std::vector<int> numbers;
  std::istringstream in(text);
  for (int first = 0; in >> first && first >= 0;) {
    int last = first;
    if (in.peek() == '-') {
      in.get();
      if (!(in >> last)) break;
    }
    if (last < first || last - first >= kMostNumbers - int(numbers.size())) break;
    for (int i = first; i <= last; ++i) numbers.push_back(i);
    if (in.peek() != ',') break;
    in.get();
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::vector<int> allowed_processors() {
  std::vector<int> allowed;
#if defined(__linux__)
  // The kernel refuses a mask shorter than its own.
  for (size_t n_cpus = CPU_SETSIZE; n_cpus <= size_t(kMostNumbers); n_cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(n_cpus);
    const size_t n_bytes = CPU_ALLOC_SIZE(n_cpus);
    if (set != nullptr && ::sched_getaffinity(0, n_bytes, set) == 0) {
      for (size_t cpu = 0; cpu < n_cpus; ++cpu) {
        if (CPU_ISSET_S(cpu, n_bytes, set)) allowed.push_back(int(cpu));
      }
    }
    CPU_FREE(set);
    if (!allowed.empty()) return allowed;
  }
#endif
  for (unsigned cpu = 0; cpu < std::max(1u, std::thread::hardware_concurrency()); ++cpu) allowed.push_back(int(cpu));
  return allowed;
}

int Processors::n_threads() const {
  return quota >= n_cores ? n_cores : std::clamp(int(std::lround(quota)), 1, n_cores);
}

Processors find_processors(const std::filesystem::path& root, const std::vector<int>& allowed) {
  Processors found;
  found.n_cores = count_cores(root, allowed);
  for (const CgroupDirectory& group : cgroup_directories(root, "cpu")) {
    found.quota = std::min(found.quota, quota_of(group));
  }
  return found;
}

int default_threads() { return find_processors("/", allowed_processors()).n_threads(); }

}  // namespace paro
