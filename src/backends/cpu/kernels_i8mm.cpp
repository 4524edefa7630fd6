// Kernels for NEON with dot products of signed bytes, and of unsigned with signed ones.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_neon.h"

namespace paro::cpu {

extern constinit const Kernels i8mm_kernels = kernel_table<Neon>("i8mm");

}  // namespace paro::cpu
