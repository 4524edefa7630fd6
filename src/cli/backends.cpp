#include "cli/backends.h"

#include "backends/cpu/cpu_backend.h"
#include "backends/reference/reference_backend.h"
#include "base/error.h"

namespace paro::cli {
namespace {

struct BackendRow {
  const char* name;
  std::unique_ptr<Backend> (*make)(const BackendOptions& options);
};

constexpr BackendRow kBackends[] = {
    {"cpu",
     [](const BackendOptions& options) {
       return make_cpu_backend({options.n_threads, options.isa});
     }},
    {"reference", [](const BackendOptions&) { return make_reference_backend(); }},
};

}  // namespace

std::vector<std::string> backend_names() {
  std::vector<std::string> names;
  for (const BackendRow& row : kBackends) names.emplace_back(row.name);
  return names;
}

std::unique_ptr<Backend> make_backend(const std::string& name, const BackendOptions& options) {
  for (const BackendRow& row : kBackends) {
    if (name == row.name) return row.make(options);
  }
  throw Error(ErrorKind::usage, "--backend is '{}', which this build does not have", name);
}

}  // namespace paro::cli
