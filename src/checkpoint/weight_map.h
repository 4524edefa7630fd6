// The strict account between a model and its files: every tensor asked for must exist with the dtype and shape asked
// for, and every tensor stored must have been asked for or be skipped by name.
#pragma once

#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/safetensors.h"

namespace paro {

class WeightMap {
 public:
  explicit WeightMap(const SafetensorsFiles& files) : files_(files) {}

  bool has(std::string_view name) const { return files_.find(name) != nullptr; }

  // The tensor of this name, marked as asked for. Throws Error{checkpoint} naming the tensor, what was expected and
  // what was found; for a missing one, also the stored name that is nearest.
  const StoredTensor& take(std::string_view name, std::initializer_list<DType> dtypes, const Shape& shape);

  // Throws Error{checkpoint} when stored tensors were neither taken nor begin with, or contain, a skip pattern:
  // how many, and the first by name. A pattern that begins with '.' matches anywhere, any other at the start.
  void check_all_taken(std::span<const std::string_view> skip) const;

  // Stored tensors that were not taken.
  std::vector<std::string> left() const;

 private:
  const SafetensorsFiles& files_;
  std::set<std::string, std::less<>> taken_;
};

}  // namespace paro
