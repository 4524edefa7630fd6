#include "server/request_memory.h"

#include <cstddef>
#include <new>

#include "base/check.h"
#include "server/api_error.h"

namespace paro::server {
namespace {

constexpr uint64_t kFreeBodyBytes = 64 << 10;
constexpr uint64_t kFreeTreeBytes = 256 << 10;
constexpr uint64_t kFreeAnswerBytes = 64 << 10;
constexpr uint64_t kCopies = 2;  // of a tree's text: itself, and what is made of it

// Trees and answers grow by little, and are charged in steps.
uint64_t in_steps(uint64_t n_bytes) {
  constexpr uint64_t kStepBytes = 64 << 10;
  return (n_bytes + kStepBytes - 1) / kStepBytes * kStepBytes;
}

}  // namespace

bool MemoryPool::take(uint64_t n_bytes) {
  uint64_t taken = taken_bytes_.load();
  do {
    if (n_bytes > size_bytes_ || taken > size_bytes_ - n_bytes) return false;
  } while (!taken_bytes_.compare_exchange_weak(taken, taken + n_bytes));
  return true;
}

void RequestMemory::set_body_bytes(uint64_t n_bytes) { charge(n_bytes, tree_bytes_, answer_bytes_); }

void RequestMemory::set_answer_bytes(uint64_t n_bytes) {
  if (n_bytes > pool_.size_bytes())
    throw Error(
        ErrorKind::memory,
        "answer: it takes more than {} bytes; ask for a stream, or for fewer inputs, choices or log-probabilities",
        pool_.size_bytes());
  charge(body_bytes_, tree_bytes_, n_bytes);
}

void* RequestMemory::do_allocate(size_t n_bytes, size_t alignment) {
  charge(body_bytes_, tree_bytes_ + n_bytes, answer_bytes_);
  PARO_CHECK(alignment <= alignof(std::max_align_t), "{}", alignment);
  return ::operator new(n_bytes);
}

void RequestMemory::do_deallocate(void* memory, size_t n_bytes, size_t /*alignment*/) {
  ::operator delete(memory);
  charge(body_bytes_, tree_bytes_ - n_bytes, answer_bytes_);
}

bool RequestMemory::do_is_equal(const boost::container::pmr::memory_resource& other) const noexcept {
  return this == &other;
}

void RequestMemory::charge(uint64_t body_bytes, uint64_t tree_bytes, uint64_t answer_bytes) {
  uint64_t wanted = body_bytes > kFreeBodyBytes ? body_bytes : 0;
  if (tree_bytes > kFreeTreeBytes) wanted += kCopies * in_steps(tree_bytes);
  if (answer_bytes > kFreeAnswerBytes) wanted += in_steps(answer_bytes);
  if (wanted > pool_.size_bytes() && wanted > charged_bytes_)
    throw ApiError(413, "invalid_request_error", "request_too_large",
                   fmt::format("request: reading it takes more than {} bytes; send less", pool_.size_bytes()));
  if (wanted > charged_bytes_ && !pool_.take(wanted - charged_bytes_))
    throw ApiError(Error(ErrorKind::unavailable, "server: requests and answers take too much at once; try again"));
  if (wanted < charged_bytes_) pool_.give_back(charged_bytes_ - wanted);
  charged_bytes_ = wanted;
  body_bytes_ = body_bytes;
  tree_bytes_ = tree_bytes;
  answer_bytes_ = answer_bytes;
}

}  // namespace paro::server
