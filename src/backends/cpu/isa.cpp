#include "backends/cpu/isa.h"

#include <fmt/ranges.h>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "base/error.h"

namespace paro {
namespace cpu {
namespace {

bool always() { return true; }

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
#elif defined(__aarch64__) && defined(__linux__)
bool has_dotprod() { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
bool has_i8mm() { return has_dotprod() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }
#elif defined(__aarch64__) && defined(__APPLE__)
bool has_feature(const char* name) {
  int value = 0;
  size_t n_bytes = sizeof value;
  return sysctlbyname(name, &value, &n_bytes, nullptr, 0) == 0 && value != 0;
}
bool has_dotprod() { return has_feature("hw.optional.arm.FEAT_DotProd"); }
bool has_i8mm() { return has_dotprod() && has_feature("hw.optional.arm.FEAT_I8MM"); }
#endif

struct Isa {
  const Kernels* (*kernels)();
  bool (*runs_here)();
};

}  // namespace

// The table that kernels_<set>.cpp defines; a row is all that names it.
#define PARO_KERNELS(set)               \
  [] {                                  \
    extern const Kernels set##_kernels; \
    return &set##_kernels;              \
  }

// The best first.
constexpr Isa kIsas[] = {
#if defined(__x86_64__)
    {PARO_KERNELS(avx512vnni), has_avx512vnni},
    {PARO_KERNELS(avxvnni), has_avxvnni},
    {PARO_KERNELS(avx512), has_avx512},
    {PARO_KERNELS(avx2), has_avx2},
#elif defined(__aarch64__)
    {PARO_KERNELS(i8mm), has_i8mm},
    {PARO_KERNELS(dotprod), has_dotprod},
    {PARO_KERNELS(neon), always},
#endif
    {PARO_KERNELS(generic), always},
};

const Kernels& kernels_for(std::string_view isa) {
  for (const Isa& row : kIsas) {
    if (!isa.empty() && isa != row.kernels()->name) continue;
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
    if (row.runs_here()) names.emplace_back(row.kernels()->name);
  }
  return names;
}

}  // namespace paro
