// Kernels for AVX-512 F, BW, DQ and VL.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_avx512.h"

namespace paro::cpu {

extern constinit const Kernels avx512_kernels = kernel_table<Avx512>("avx512");

}  // namespace paro::cpu
