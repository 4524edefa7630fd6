// The stored weights of a model, summed by part and format, and what is in its files but not in use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"
#include "models/weight_binder.h"

namespace paro::cli {

struct ModelPart {
  std::string name;    // "experts", "attention", ...
  std::string format;  // "INT4", "F16"
  int n_tensors = 0;
  int64_t n_bytes = 0;
};
std::vector<ModelPart> parts_of(std::span<const WeightLoad> loads);  // bound with files

struct SkippedPart {
  std::string first;  // of its tensors, by name
  std::string why;
  int n_tensors = 0;
  int64_t n_bytes = 0;
};
std::vector<SkippedPart> skipped_of(const WeightBinder& binder, const SafetensorsFiles& files);

}  // namespace paro::cli
