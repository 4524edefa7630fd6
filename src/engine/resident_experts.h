// Experts that all lie in the weight memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/weight_binder.h"
#include "ops/expert_source.h"

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

  bool is_streamed() const override { return false; }
  void request(int, std::span<const int32_t>, int64_t) override {}
  void expect(int, std::span<const int32_t>, int64_t) override {}

  int hold(int layer, std::span<int32_t> experts, std::span<const std::byte*> packed) override {
    const Layer& l = layers_[size_t(layer)];
    const size_t n = std::min(experts.size(), packed.size());
    for (size_t i = 0; i < n; ++i) packed[i] = l.experts + experts[i] * l.expert_bytes;
    return int(n);
  }
  void release(int, std::span<const int32_t>) override {}

 private:
  struct Layer {
    const std::byte* experts = nullptr;
    int64_t expert_bytes = 0;
  };
  std::vector<Layer> layers_;
};

}  // namespace paro
