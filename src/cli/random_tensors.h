// Random contents for the tensors of a checkpoint, such that activations stay finite and logits vary: matrices keep
// the size of what they multiply, norms are near 1, rotations are small, embeddings come out at size 1.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "models/weight_binder.h"

namespace paro::cli {

struct RandomTensors {
  uint64_t seed = 0;
  std::string_view model_type;  // of the language model
  int group_size = 0;

  // Writes the tensor's bytes to the sink in pieces; the same for the same seed, name and shape.
  void fill(const WantedTensor& tensor, const std::function<void(std::span<const std::byte>)>& sink) const;
};

}  // namespace paro::cli
