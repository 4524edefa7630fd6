#include "backends/cpu/isa.h"

#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "base/error.h"

namespace paro {
namespace cpu {
namespace {

struct Isa {
  std::string_view name;
  const Kernels* (*kernels)();
  bool (*runs_here)();
};

#if defined(__x86_64__)
struct CpuId {
  unsigned eax, ebx, ecx, edx;

  CpuId(unsigned leaf, unsigned subleaf) : eax(leaf), ebx(0), ecx(subleaf), edx(0) {
    asm("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  }
};

// The compilers' own test also asks whether the system keeps the registers. It does not know F16C and AVX-VNNI in all
// versions.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && (CpuId(1, 0).ecx >> 29 & 1) != 0;
}
bool has_avxvnni() { return has_avx2() && (CpuId(7, 1).eax >> 4 & 1) != 0; }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool has_avx512vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

// The best first.
constexpr Isa kIsas[] = {
#if defined(__x86_64__)
    {"avx512vnni", avx512vnni_kernels, has_avx512vnni},
    {"avxvnni", avxvnni_kernels, has_avxvnni},
    {"avx512", avx512_kernels, has_avx512},
    {"avx2", avx2_kernels, has_avx2},
#endif
    {"generic", generic_kernels, [] { return true; }},
};

}  // namespace

const Kernels& kernels_for(std::string_view isa) {
  for (const Isa& row : kIsas) {
    if (!isa.empty() && isa != row.name) continue;
    if (row.runs_here()) return *row.kernels();
    if (!isa.empty()) {
      throw Error(ErrorKind::usage, "instruction set '{}': this processor lacks it; choose one of {}", isa,
                  fmt::join(cpu_isas(), ", "));
    }
  }
  throw Error(ErrorKind::usage, "instruction set '{}': expected one of {}", isa, fmt::join(cpu_isas(), ", "));
}

}  // namespace cpu

std::vector<std::string> cpu_isas() {
  std::vector<std::string> names;
  for (const cpu::Isa& row : cpu::kIsas) {
    if (row.runs_here()) names.emplace_back(row.name);
  }
  return names;
}

}  // namespace paro
