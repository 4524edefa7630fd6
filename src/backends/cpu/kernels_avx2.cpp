// Kernels for AVX2 with FMA and F16C.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_avx2.h"

namespace paro::cpu {

extern constinit const Kernels avx2_kernels = kernel_table<Avx2>("avx2");

}  // namespace paro::cpu
