// What computed keys and values, so that those of another model, quantization, kernel or program are never taken for
// its own.
#pragma once

#include "checkpoint/safetensors.h"
#include "engine/memory_plan.h"
#include "engine/prefix_file.h"

namespace paro {

// Of config.json as it stands, which tensors lie where in files of which size and time, how tables and pages are held,
// and the kernels and the file of the program. Throws Error{io}.
PrefixKey prefix_fingerprint(const EngineOptions& options, const SafetensorsFiles& files, const MemoryPlan& plan,
                             const Backend& backend);

}  // namespace paro
