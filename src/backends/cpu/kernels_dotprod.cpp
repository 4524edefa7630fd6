// Kernels for NEON with dot products of signed bytes.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_neon.h"

namespace paro::cpu {

extern constinit const Kernels dotprod_kernels = kernel_table<Neon>("dotprod");

}  // namespace paro::cpu
