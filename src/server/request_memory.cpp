#include "server/request_memory.h"

#include <cstddef>
#include <new>
#include <utility>

#include "base/check.h"
#include "server/api_error.h"

namespace paro::server {
namespace {

constexpr uint64_t kFreeBodyBytes = 64 << 10;
constexpr uint64_t kFreeTreeBytes = 256 << 10;
constexpr uint64_t kStepBytes = 64 << 10;  // in which trees are charged
constexpr uint64_t kCopies = 2;            // of a tree's text: itself, and what is made of it

}  // namespace

bool MemoryPool::take(uint64_t n_bytes) {
  uint64_t taken = taken_bytes_.load();
  do {
    if (n_bytes > size_bytes_ || taken > size_bytes_ - n_bytes) return false;
  } while (!taken_bytes_.compare_exchange_weak(taken, taken + n_bytes));
  return true;
}

void RequestMemory::set_body_bytes(uint64_t n_bytes) { charge(n_bytes, tree_bytes_); }

void RequestMemory::set_answer_bytes(uint64_t n_bytes) {
  const uint64_t before = std::exchange(answer_bytes_, n_bytes);
  try {
    charge(body_bytes_, tree_bytes_);
  } catch (...) {
    answer_bytes_ = before;
    throw;
  }
}

void* RequestMemory::do_allocate(size_t n_bytes, size_t alignment) {
  charge(body_bytes_, tree_bytes_ + n_bytes);
  PARO_CHECK(alignment <= alignof(std::max_align_t), "{}", alignment);
  return ::operator new(n_bytes);
}

void RequestMemory::do_deallocate(void* memory, size_t n_bytes, size_t /*alignment*/) {
  ::operator delete(memory);
  charge(body_bytes_, tree_bytes_ - n_bytes);
}

bool RequestMemory::do_is_equal(const boost::container::pmr::memory_resource& other) const noexcept {
  return this == &other;
}

void RequestMemory::charge(uint64_t body_bytes, uint64_t tree_bytes) {
  uint64_t wanted = body_bytes > kFreeBodyBytes ? body_bytes : 0;
  if (tree_bytes > kFreeTreeBytes) wanted += kCopies * ((tree_bytes + kStepBytes - 1) / kStepBytes * kStepBytes);
  if (answer_bytes_ > kFreeBodyBytes) wanted += answer_bytes_;
  if (wanted > pool_.size_bytes() && wanted > charged_bytes_)
    throw ApiError(413, "invalid_request_error", "request_too_large",
                   fmt::format("request: reading it takes more than {} bytes; send less", pool_.size_bytes()));
  if (wanted > charged_bytes_ && !pool_.take(wanted - charged_bytes_))
    throw ApiError(Error(ErrorKind::unavailable, "server: too much is being read at once; try again"));
  if (wanted < charged_bytes_) pool_.give_back(charged_bytes_ - wanted);
  charged_bytes_ = wanted;
  body_bytes_ = body_bytes;
  tree_bytes_ = tree_bytes;
}

}  // namespace paro::server
