// Owns every large buffer and holds it against the plan: a class never takes more than was planned for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/memory_report.h"
#include "tensor/buffer.h"

namespace paro {

class Ledger {
 public:
  explicit Ledger(MemoryReport plan) : report_(std::move(plan)) {}

  // A zeroed buffer of class `name`, alive as long as the ledger.
  std::span<std::byte> take(std::string_view name, int64_t n_bytes, Buffer::Pages pages = Buffer::Pages::touched);

  // One buffer, the end of which is another class's.
  std::span<std::byte> take(std::string_view name, int64_t n_bytes, std::string_view of_end, int64_t n_end_bytes);

  const MemoryReport& report() const { return report_; }

 private:
  MemoryClass& find(std::string_view name);
  void count(std::string_view name, int64_t n_bytes);

  MemoryReport report_;
  std::vector<Buffer> buffers_;
};

}  // namespace paro
