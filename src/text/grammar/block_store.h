// Elements in blocks that stay where they are while more are added: what grows so takes no more than it holds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace paro::text {

template <typename T>
class BlockStore {
 public:
  // n elements in a row, with T's default values, that live as long as the store.
  T* add(size_t n) {
    if (n > n_free_) {
      n_free_ = std::max(n, kBlockBytes / sizeof(T));
      free_ = blocks_.emplace_back(std::make_unique<T[]>(n_free_)).get();
      memory_bytes_ += int64_t(n_free_ * sizeof(T));
    }
    n_free_ -= n;
    return std::exchange(free_, free_ + n);
  }

  int64_t memory_bytes() const { return memory_bytes_; }

 private:
  static constexpr size_t kBlockBytes = 16 << 10;

  std::vector<std::unique_ptr<T[]>> blocks_;
  T* free_ = nullptr;  // of the last block
  size_t n_free_ = 0;
  int64_t memory_bytes_ = 0;
};

}  // namespace paro::text
