// Extents of a tensor, at most four, row-major.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace paro {

class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents);

  int rank() const { return rank_; }
  int64_t operator[](int dim) const { return extents_[size_t(dim)]; }
  int64_t last() const { return rank_ == 0 ? 1 : extents_[size_t(rank_ - 1)]; }
  int64_t n_elements() const;
  void append(int64_t extent);

  bool operator==(const Shape& other) const = default;

 private:
  int rank_ = 0;
  std::array<int64_t, kMaxRank> extents_{};
};

std::string to_string(const Shape& shape);  // "[8, 704]"

}  // namespace paro
