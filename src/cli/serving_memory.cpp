#include "cli/serving_memory.h"

namespace paro::cli {

std::vector<MemoryClass> serving_memory(std::vector<MemoryClass> text, const server::ServerOptions& options) {
  text.push_back({"server buffers", server::planned_bytes(options), 0});
  return text;
}

}  // namespace paro::cli
