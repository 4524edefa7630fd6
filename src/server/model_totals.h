// What the engines of all models that are loaded come to together.
#pragma once

#include <vector>

#include "engine/engine.h"
#include "server/server_state.h"

namespace paro::server {

// Classes of one name are one, and the server's own buffers, which every model's plan counts, are counted once. What is
// said of sequences is the first model's. While none is loaded, the server's buffers are all.
MemoryReport total_memory(const ServerState& server, const std::vector<ModelLibrary::Lease>& models);

EngineStatus total_status(const std::vector<ModelLibrary::Lease>& models);

}  // namespace paro::server
