// Kernels for NEON with products of two rows and two columns of bytes.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_neon.h"

namespace paro::cpu {

extern constinit const Kernels i8mm_kernels = kernel_table<Neon>("i8mm");

}  // namespace paro::cpu
