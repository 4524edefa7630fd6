// Kernels for any processor.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_generic.h"

namespace paro::cpu {

extern constinit const Kernels generic_kernels = kernel_table<Generic>("generic");

}  // namespace paro::cpu
