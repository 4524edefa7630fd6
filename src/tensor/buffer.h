// The owner of memory for tensors: zeroed, aligned, in huge pages where the system has them, and over the nodes of a
// machine with several.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace paro {

class Buffer {
 public:
  Buffer() = default;
  // Pages that are touched are there before it returns, so that memory that is missing is missed now and not later;
  // pages left untouched are for whoever fills them with several threads, and uses touch() on the way.
  // Throws Error{memory} naming `what`.
  enum class Pages { touched, untouched };
  Buffer(int64_t n_bytes, const char* what, Pages pages = Pages::touched);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  std::byte* data() const { return data_; }
  int64_t n_bytes() const { return n_bytes_; }
  std::span<std::byte> bytes() const { return {data_, size_t(n_bytes_)}; }

  static constexpr int64_t kAlignment = 64;
  // What a buffer of n_bytes takes of the machine: whole pages.
  static int64_t resident_bytes(int64_t n_bytes);

  // Makes the pages of a stretch of a buffer be there, as the constructor does; what is in them stays. Any number of
  // threads at once. Throws Error{memory}.
  static void touch(std::span<std::byte> stretch, const char* what);

 private:
  std::byte* data_ = nullptr;
  int64_t n_bytes_ = 0;
  int64_t n_mapped_bytes_ = 0;
};

}  // namespace paro
