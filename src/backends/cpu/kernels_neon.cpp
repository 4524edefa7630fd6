// Kernels for NEON, which every 64-bit ARM processor has.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_neon.h"

namespace paro::cpu {

extern constinit const Kernels neon_kernels = kernel_table<Neon>("neon");

}  // namespace paro::cpu
