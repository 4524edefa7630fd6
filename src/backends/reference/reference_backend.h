// The specification of every op in plain float32: scalar, one thread, written for the eye. Tests hold other backends
// against it; `--backend reference` runs it.
#pragma once

#include <memory>

#include "ops/backend.h"

namespace paro {

std::unique_ptr<Backend> make_reference_backend();

}  // namespace paro
