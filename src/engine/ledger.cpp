#include "engine/ledger.h"

#include <algorithm>

#include "base/check.h"

namespace paro {

MemoryClass& Ledger::find(std::string_view name) {
  const auto found = std::find_if(report_.classes.begin(), report_.classes.end(),
                                  [&](const MemoryClass& c) { return c.name == name; });
  PARO_CHECK(found != report_.classes.end(), "no class '{}' in the plan", name);
  return *found;
}

void Ledger::count(std::string_view name, int64_t n_bytes) {
  MemoryClass& c = find(name);
  c.actual_bytes += n_bytes;
  PARO_CHECK(c.actual_bytes <= c.plan_bytes, "{}: {} of {} planned bytes", name, c.actual_bytes, c.plan_bytes);
}

std::span<std::byte> Ledger::take(std::string_view name, int64_t n_bytes, Buffer::Pages pages) {
  count(name, Buffer::resident_bytes(n_bytes));
  return buffers_.emplace_back(n_bytes, find(name).name.c_str(), pages).bytes();
}

std::span<std::byte> Ledger::take(std::string_view name, int64_t n_bytes, std::string_view of_end,
                                  int64_t n_end_bytes) {
  const int64_t all = n_bytes + n_end_bytes;
  count(name, Buffer::resident_bytes(n_bytes));
  if (n_end_bytes > 0) count(of_end, Buffer::resident_bytes(all) - Buffer::resident_bytes(n_bytes));
  return buffers_.emplace_back(all, find(name).name.c_str()).bytes();
}

}  // namespace paro
