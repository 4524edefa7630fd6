// The engine that serves many sequences at once: a queue, a batch of sequences, and one thread that composes steps of
// decode tokens and prefill chunks.
#pragma once

#include <memory>

#include "engine/engine.h"
#include "engine/model_runner.h"

namespace paro {

// Loads the model and starts its inference thread. Throws Error: config, checkpoint, io, memory.
std::unique_ptr<Engine> open_engine(const EngineOptions& options, std::unique_ptr<Backend> backend,
                                    const LoadProgress& progress = {});

}  // namespace paro
