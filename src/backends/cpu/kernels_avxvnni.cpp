// Kernels for AVX2 with 256-bit integer dot products.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_avx2.h"

namespace paro::cpu {

extern constinit const Kernels avxvnni_kernels = kernel_table<Avx2>("avxvnni");

}  // namespace paro::cpu
