// Kernels for any processor.
#include "backends/cpu/kernel_table.h"
#include "backends/cpu/simd_generic.h"

namespace paro::cpu {

const Kernels* generic_kernels() {
  static constexpr Kernels kernels = kernel_table<Generic>("generic");
  return &kernels;
}

}  // namespace paro::cpu
