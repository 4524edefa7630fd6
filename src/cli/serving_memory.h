// What `paro serve` holds beside the model, for every plan that is to be the server's.
#pragma once

#include <vector>

#include "engine/memory_report.h"
#include "server/service.h"

namespace paro::cli {

// `text`: what TextModel::memory() or text_memory() tell.
std::vector<MemoryClass> serving_memory(std::vector<MemoryClass> text, const server::ServerOptions& options = {});

}  // namespace paro::cli
