// Every backend that a test of models runs on: the reference, and the cpu backend with each instruction set of this
// machine.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/reference/reference_backend.h"
#include "ops/backend.h"

namespace paro::test {

struct BackendCase {
  std::string name;
  std::function<std::unique_ptr<Backend>(int n_threads)> make;
  friend void PrintTo(const BackendCase& c, std::ostream* out) { *out << c.name; }
};

inline std::vector<BackendCase> cpu_backends() {
  std::vector<BackendCase> cases;
  for (const std::string& isa : cpu_isas()) {
    cases.push_back({"cpu_" + isa, [isa](int n_threads) { return make_cpu_backend({n_threads, isa}); }});
  }
  return cases;
}

inline std::vector<BackendCase> all_backends() {
  std::vector<BackendCase> cases = cpu_backends();
  cases.push_back({"reference", [](int) { return make_reference_backend(); }});
  return cases;
}

}  // namespace paro::test
