// Experts that all lie in the weight memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/weight_binder.h"
#include "ops/weights.h"

namespace paro {

class ResidentExperts final : public ExpertSource {
 public:
  // Regions of all layers, in the memory they were bound to.
  void set(std::span<const ExpertRegion> regions, const std::byte* memory) {
    layers_.clear();
    for (const ExpertRegion& region : regions) {
      if (int(layers_.size()) <= region.layer) layers_.resize(size_t(region.layer) + 1);
      layers_[size_t(region.layer)] = {memory + region.offset_bytes, region.expert_bytes};
    }
  }

  const std::byte* acquire(int layer, int expert) override {
    const Layer& l = layers_[size_t(layer)];
    return l.experts + expert * l.expert_bytes;
  }
  void release(int, int) override {}
  void hint(int, std::span<const int32_t>) override {}

 private:
  struct Layer {
    const std::byte* experts = nullptr;
    int64_t expert_bytes = 0;
  };
  std::vector<Layer> layers_;
};

}  // namespace paro
