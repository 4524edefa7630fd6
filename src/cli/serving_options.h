// What `paro serve` asks of the engine, for every plan that is to be the server's.
#pragma once

#include <vector>

#include "engine/options.h"
#include "server/service.h"

namespace paro::cli {

// `options` with the server's queue and with what it holds beside the model. `text`: what TextModel::memory() or
// text_memory() tell.
EngineOptions serving_options(EngineOptions options, std::vector<MemoryClass> text,
                              const server::ServerOptions& server = {}, int max_queue = EngineOptions().max_queue);

}  // namespace paro::cli
