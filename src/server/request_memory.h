// What requests hold while they are read, and answers before they are written. Larger ones of all connections are
// charged to one pool, so that the memory plan can count on its size.
#pragma once

#include <atomic>
#include <boost/json/memory_resource.hpp>
#include <cstddef>
#include <cstdint>

namespace paro::server {

class MemoryPool {
 public:
  explicit MemoryPool(uint64_t size_bytes) : size_bytes_(size_bytes) {}

  bool take(uint64_t n_bytes);  // false: so much is not free
  void give_back(uint64_t n_bytes) { taken_bytes_.fetch_sub(n_bytes); }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  const uint64_t size_bytes_;
  std::atomic<uint64_t> taken_bytes_{0};
};

// One connection's share, for its strand: the JSON made with this resource, the body, and the answer. What is small is
// free of charge. Throws ApiError when the pool does not have it: 413 for a request that alone exceeds the pool, 400
// for an answer that does, 503 when others hold it.
class RequestMemory final : public boost::json::memory_resource {
 public:
  explicit RequestMemory(MemoryPool& pool) : pool_(pool) {}
  ~RequestMemory() override { pool_.give_back(charged_bytes_); }
  RequestMemory(const RequestMemory&) = delete;
  RequestMemory& operator=(const RequestMemory&) = delete;

  MemoryPool& pool() const { return pool_; }
  void set_body_bytes(uint64_t n_bytes);
  void set_answer_bytes(uint64_t n_bytes);

 private:
  void* do_allocate(size_t n_bytes, size_t alignment) override;
  void do_deallocate(void* memory, size_t n_bytes, size_t alignment) override;
  bool do_is_equal(const boost::container::pmr::memory_resource& other) const noexcept override;
  void charge(uint64_t body_bytes, uint64_t tree_bytes, uint64_t answer_bytes);

  MemoryPool& pool_;
  uint64_t body_bytes_ = 0, tree_bytes_ = 0, answer_bytes_ = 0;
  uint64_t charged_bytes_ = 0;
};

}  // namespace paro::server
