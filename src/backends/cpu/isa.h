// The instruction sets, as a table: which this build has, which this machine runs.
#pragma once

#include <string_view>

#include "backends/cpu/kernels.h"

namespace paro::cpu {

// "": the best that this machine runs. Throws Error{usage} for a name that is unknown or not of this machine.
const Kernels& kernels_for(std::string_view isa);

}  // namespace paro::cpu
