#include "cli/serving_options.h"

#include <utility>

namespace paro::cli {

EngineOptions serving_options(EngineOptions options, std::vector<MemoryClass> text, const server::ServerOptions& server,
                              int max_queue) {
  options.max_queue = max_queue;
  options.other_memory = std::move(text);
  options.other_memory.push_back({server::kServerMemoryClass, server::planned_bytes(server), 0});
  return options;
}

}  // namespace paro::cli
