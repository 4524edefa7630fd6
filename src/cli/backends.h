// The backends of this build, by the names of --backend.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/backend.h"

namespace paro::cli {

struct BackendOptions {
  int n_threads = 1;
  std::string isa;  // empty: the best at hand
};

std::vector<std::string> backend_names();

// Throws Error{usage} for options that the backend does not take.
std::unique_ptr<Backend> make_backend(const std::string& name, const BackendOptions& options);

}  // namespace paro::cli
