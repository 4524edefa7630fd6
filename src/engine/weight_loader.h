// Reads stored weights and packs them into the backend's layout: in pieces, by several threads, each with a staging
// buffer of its own, so that no file is in memory twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "checkpoint/safetensors.h"
#include "engine/options.h"
#include "models/weight_binder.h"
#include "ops/backend.h"

namespace paro {

// Threads that load for a backend of n_threads: as many pack at once, the others wait for the disk.
int loading_threads(int n_threads);

// Staging bytes that loading takes for these loads, and what it usually is.
int64_t staging_bytes(std::span<const WeightLoad> loads, int n_threads);
int64_t usual_staging_bytes(int n_threads);

// Fills `memory`, whose pages need not be there yet. `staging` begins with a page.
void load_weights(std::span<const WeightLoad> loads, const SafetensorsFiles& files, const Backend& backend,
                  std::span<std::byte> memory, std::span<std::byte> staging, const LoadProgress& progress);

}  // namespace paro
