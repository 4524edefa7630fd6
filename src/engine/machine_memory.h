// How much memory this process may take: the machine's free memory, its cgroup's limit and its rlimit.
#pragma once

#include <cstdint>
#include <string>

namespace paro {

struct MachineMemory {
  int64_t available_bytes = 0;  // for this process in all, what it holds already included
  std::string source;           // "free memory", "cgroup limit", "address space limit"
};
MachineMemory machine_memory();

// Resident memory of this process, now and at its peak; 0 where the system does not tell.
int64_t resident_bytes();
int64_t peak_resident_bytes();

}  // namespace paro
