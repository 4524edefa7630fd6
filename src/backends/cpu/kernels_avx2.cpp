// Kernels for AVX2 with FMA and F16C.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_avx2.h"

namespace paro::cpu {

const Kernels* avx2_kernels() {
  static constexpr Kernels kernels = kernel_table<Avx2>("avx2");
  return &kernels;
}

}  // namespace paro::cpu
