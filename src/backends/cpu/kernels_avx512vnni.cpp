// Kernels for AVX-512 with integer dot products.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_avx512.h"

namespace paro::cpu {

extern constinit const Kernels avx512vnni_kernels = kernel_table<Avx512>("avx512vnni");

}  // namespace paro::cpu
