// Memory of one step: tensors are taken in order and given back by scope. Offsets depend on the sizes asked for alone,
// so that a plan made without memory holds for every step of that shape.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/align.h"
#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace paro {

class Arena {
 public:
  // Counts only: every pointer it gives is null.
  Arena() = default;
  explicit Arena(std::span<std::byte> memory) : base_(memory.data()), capacity_bytes_(int64_t(memory.size())) {}

  bool counts_only() const { return base_ == nullptr; }
  int64_t peak_bytes() const { return peak_bytes_; }

  std::span<std::byte> take(int64_t n_bytes) {
    const int64_t begin = used_bytes_;
    used_bytes_ += round_up(n_bytes, Buffer::kAlignment);
    peak_bytes_ = std::max(peak_bytes_, used_bytes_);
    if (counts_only()) return {};
    PARO_CHECK(used_bytes_ <= capacity_bytes_, "a step takes {} of {} planned bytes", used_bytes_, capacity_bytes_);
    return {base_ + begin, size_t(n_bytes)};
  }

  Tensor tensor(DType dtype, const Shape& shape) {
    return {dtype, shape, take(shape.n_elements() * size_bytes(dtype)).data()};
  }

  // Gives back at its end what was taken since its start.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), begin_(arena.used_bytes_) {}
    ~Scope() { arena_.used_bytes_ = begin_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    int64_t begin_;
  };

 private:
  std::byte* base_ = nullptr;
  int64_t capacity_bytes_ = 0;
  int64_t used_bytes_ = 0;
  int64_t peak_bytes_ = 0;
};

}  // namespace paro
