// Which kernels run is asked for by name, and told by name.
#include <algorithm>
#include <set>
#include <sstream>

#include "base/error.h"
#include "op_test.h"

namespace paro::test {
namespace {

TEST(CpuIsa, EveryListedSetRunsUnderItsName) {
  for (const std::string& isa : cpu_isas()) {
    EXPECT_EQ(cpu(isa, 2)->name(), "cpu (" + isa + ", 2 threads)");
    EXPECT_EQ(cpu(isa, 1)->name(), "cpu (" + isa + ", 1 thread)");
  }
}

#if defined(PARO_EMULATED_ISAS)
TEST(CpuIsa, AnEmulatorRunsEverySetOfTheBuild) {
  std::multiset<std::string> built;
  std::istringstream names(PARO_EMULATED_ISAS);
  for (std::string name; names >> name;) built.insert(name);
  const auto here = cpu_isas();
  EXPECT_EQ(std::multiset<std::string>(here.begin(), here.end()), built);
}
#endif

TEST(CpuIsa, TheBestIsTheDefaultAndGenericAlwaysThere) {
  EXPECT_EQ(cpu("")->name(), cpu(cpu_isas().front())->name());
  EXPECT_EQ(cpu_isas().back(), "generic");
}

TEST(CpuIsa, UnknownNamesAndThreadCountsAreUsageErrors) {
  const auto kind_of = [](const CpuOptions& options) {
    try {
      make_cpu_backend(options);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  };
  EXPECT_EQ(kind_of({1, "avx1024"}), ErrorKind::usage);
  EXPECT_EQ(kind_of({-1, ""}), ErrorKind::usage);
  const auto here = cpu_isas();
  for (const std::string isa : {"avx2", "avxvnni", "avx512", "avx512vnni"}) {
    const bool runs = std::find(here.begin(), here.end(), isa) != here.end();
    if (!runs) {
      EXPECT_EQ(kind_of({1, isa}), ErrorKind::usage) << isa;
    }
  }
}

TEST(CpuIsa, ThreadsDefaultToWhatTheProcessMayUse) { EXPECT_GE(make_cpu_backend({})->n_threads(), 1); }

TEST(CpuIsa, GroupsThatNoKernelTakesAreCheckpointErrors) {
  try {
    cpu("")->packed_bytes(MatrixSpec{16, 96, StoredFormat::int4_awq, 48});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::checkpoint);
    EXPECT_NE(error.message().find("48"), std::string::npos);
  }
}

TEST(CpuIsa, PeakOperationsGrowWithTheRounds) {
  for (const std::string& isa : cpu_isas()) {
    const double one = run_integer_peak(isa, 1);
    EXPECT_GE(one, 8 * 4 * 128) << isa;  // lines of 64 codes
    EXPECT_EQ(run_integer_peak(isa, 1000), 1000 * one) << isa;
  }
  EXPECT_THROW(run_integer_peak("avx1024", 1), Error);
}

}  // namespace
}  // namespace paro::test
