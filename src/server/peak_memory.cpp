#include "server/peak_memory.h"

#include <fstream>
#include <string>

namespace paro::server {

int64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t size_kib = 0;
    if (word == "VmHWM:" && status >> size_kib) return size_kib * 1024;
  }
  return 0;
}

}  // namespace paro::server
