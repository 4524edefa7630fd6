// Kernels for AVX2 with 256-bit integer dot products.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_avx2.h"

namespace paro::cpu {

const Kernels* avxvnni_kernels() {
  static constexpr Kernels kernels = kernel_table<Avx2>("avxvnni");
  return &kernels;
}

}  // namespace paro::cpu
