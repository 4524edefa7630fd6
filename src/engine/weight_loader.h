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

// Staging bytes that each loading thread takes for these loads.
int64_t staging_bytes(std::span<const WeightLoad> loads);

// Fills `memory`. `staging` is cut into n_threads parts.
void load_weights(std::span<const WeightLoad> loads, const SafetensorsFiles& files, const Backend& backend,
                  std::span<std::byte> memory, std::span<std::byte> staging, int n_threads,
                  const LoadProgress& progress);

}  // namespace paro
