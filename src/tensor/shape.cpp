#include "tensor/shape.h"

#include <fmt/format.h>

#include "base/check.h"

namespace paro {

Shape::Shape(std::initializer_list<int64_t> extents) {
  for (const int64_t extent : extents) append(extent);
}

int64_t Shape::n_elements() const {
  int64_t n = 1;
  for (int i = 0; i < rank_; ++i) n *= extents_[size_t(i)];
  return n;
}

void Shape::append(int64_t extent) {
  PARO_CHECK(rank_ < kMaxRank, "rank {}", rank_ + 1);
  extents_[size_t(rank_++)] = extent;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

}  // namespace paro
