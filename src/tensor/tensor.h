// A view of contiguous row-major elements. It owns nothing: a Buffer or an arena does.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace paro {

struct Tensor {
  DType dtype = DType::f32;
  Shape shape;
  std::byte* data = nullptr;  // null while a plan is made

  int64_t dim(int i) const { return shape[i]; }
  int64_t n_elements() const { return shape.n_elements(); }
  int64_t n_bytes() const { return n_elements() * size_bytes(dtype); }

  float* f32() const {
    PARO_CHECK(dtype == DType::f32, "{}", to_string(dtype));
    return reinterpret_cast<float*>(data);
  }
  int32_t* i32() const {
    PARO_CHECK(dtype == DType::i32, "{}", to_string(dtype));
    return reinterpret_cast<int32_t*>(data);
  }

  // Rows [begin, begin + n) of a matrix.
  Tensor rows(int64_t begin, int64_t n) const {
    PARO_CHECK(shape.rank() == 2 && begin >= 0 && n >= 0 && begin + n <= dim(0), "rows {} and {} on of {}", begin, n,
               to_string(shape));
    return {dtype, {n, dim(1)}, data == nullptr ? nullptr : data + begin * dim(1) * size_bytes(dtype)};
  }

  // The same elements under other extents.
  Tensor reshape(const Shape& other) const {
    PARO_CHECK(other.n_elements() == n_elements(), "{} as {}", to_string(shape), to_string(other));
    return {dtype, other, data};
  }
};

}  // namespace paro
