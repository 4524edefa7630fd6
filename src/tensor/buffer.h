// The owner of memory for tensors: zeroed, aligned, in huge pages where the system has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace paro {

class Buffer {
 public:
  Buffer() = default;
  // Every page is touched before it returns, so that memory that is not there is missed now and not later.
  // Throws Error{memory} naming `what`.
  Buffer(int64_t n_bytes, const char* what);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  std::byte* data() const { return data_; }
  int64_t n_bytes() const { return n_bytes_; }
  std::span<std::byte> bytes() const { return {data_, size_t(n_bytes_)}; }

  static constexpr int64_t kAlignment = 64;
  // What a buffer of n_bytes takes of the machine: whole pages.
  static int64_t resident_bytes(int64_t n_bytes);

 private:
  std::byte* data_ = nullptr;
  int64_t n_bytes_ = 0;
  int64_t n_mapped_bytes_ = 0;
};

}  // namespace paro
