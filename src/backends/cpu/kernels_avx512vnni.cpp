// Kernels for AVX-512 with integer dot products.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_avx512.h"

namespace paro::cpu {

const Kernels* avx512vnni_kernels() {
  static constexpr Kernels kernels = kernel_table<Avx512>("avx512vnni");
  return &kernels;
}

}  // namespace paro::cpu
