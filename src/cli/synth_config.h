// config.json of a smaller model of the same kind: fewer layers, a smaller vocabulary.
#pragma once

#include <filesystem>
#include <string>

namespace paro::cli {

struct CutDown {
  int n_layers = 0;  // 0: as they are
  int vocab_size = 0;
};

// The JSON text of the config file with the cut-down values. The last layer keeps full attention, as the architectures
// want it. Throws Error{config}.
std::string cut_down_config(const std::filesystem::path& file, const CutDown& cut);

}  // namespace paro::cli
