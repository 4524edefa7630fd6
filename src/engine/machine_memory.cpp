#include "engine/machine_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include "base/cgroup.h"

namespace paro {
namespace {

// "<key>: <n> kB" of a file under /proc, in bytes; 0 when there is none.
int64_t proc_kilobytes(const char* file, std::string_view key) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with(key)) continue;
    return std::strtoll(line.c_str() + key.size(), nullptr, 10) * 1024;
  }
  return 0;
}

// One number of a file; `absent` when there is none or it says "max".
int64_t number_in(const std::string& file, int64_t absent) {
  std::ifstream in(file);
  int64_t value = 0;
  return in >> value ? value : absent;
}

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// What a cgroup leaves: its limit less what its other processes hold. The limit of every ancestor counts too.
int64_t cgroup_available(int64_t own_bytes) {
  int64_t available = kNoLimit;
  const auto consider = [&](const std::string& directory, const char* limit_file, const char* usage_file,
                            const char* cache_key) {
    const int64_t limit = number_in(directory + "/" + limit_file, kNoLimit);
    if (limit >= kNoLimit / 2) return;
    const int64_t usage = number_in(directory + "/" + usage_file, 0);
    std::ifstream stat(directory + "/memory.stat");
    int64_t cache = 0;
    for (std::string key; stat >> key;) {
      int64_t value = 0;
      stat >> value;
      if (key == cache_key) cache = value;
    }
    const int64_t others = std::max<int64_t>(0, usage - cache - own_bytes);
    available = std::min(available, std::max<int64_t>(0, limit - others));
  };
  for (const CgroupDirectory& group : cgroup_directories("/", "memory")) {
    if (group.v2) {
      consider(group.path.string(), "memory.max", "memory.current", "file");
    } else {
      consider(group.path.string(), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache");
    }
  }
  return available;
}

}  // namespace

MachineMemory machine_memory() {
  const int64_t own = resident_bytes();
  MachineMemory memory{kNoLimit, "free memory"};
  if (const int64_t free = proc_kilobytes("/proc/meminfo", "MemAvailable:"); free > 0) {
    memory.available_bytes = free + own;
  } else {
    memory.available_bytes = int64_t(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
  }
  if (const int64_t cgroup = cgroup_available(own); cgroup < memory.available_bytes) memory = {cgroup, "cgroup limit"};
  // Address space that is reserved and not resident, such as stacks and libraries, counts against its limit too.
  const int64_t unbacked = std::max<int64_t>(0, proc_kilobytes("/proc/self/status", "VmSize:") - own);
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      int64_t(limit.rlim_cur) - unbacked < memory.available_bytes) {
    memory = {std::max<int64_t>(0, int64_t(limit.rlim_cur) - unbacked), "address space limit"};
  }
  return memory;
}

int64_t resident_bytes() { return proc_kilobytes("/proc/self/status", "VmRSS:"); }
int64_t peak_resident_bytes() { return proc_kilobytes("/proc/self/status", "VmHWM:"); }

}  // namespace paro
