#pragma once

#include <memory>

#include "models/model.h"

namespace paro {

std::unique_ptr<Model> make_gemma4(const ModelConfig& config, WeightBinder& weights);

}  // namespace paro
