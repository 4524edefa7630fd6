// The architectures, one row each.
#include <fmt/ranges.h>

#include "base/error.h"
#include "models/gemma4.h"
#include "models/model.h"

namespace paro {
namespace {

constexpr Architecture kArchitectures[] = {
    {"gemma4_text", make_gemma4},
};

}  // namespace

const Architecture& find_architecture(const ModelConfig& config) {
  std::vector<std::string_view> known;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.model_type == config.model_type) return architecture;
    known.push_back(architecture.model_type);
  }
  throw Error(ErrorKind::config, "{}: model_type '{}' is not known; this build runs {}", config.text.where(),
              config.model_type, fmt::join(known, ", "));
}

}  // namespace paro
