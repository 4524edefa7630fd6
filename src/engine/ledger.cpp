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

std::span<std::byte> Ledger::take(std::string_view name, int64_t n_bytes, Buffer::Pages pages) {
  MemoryClass& c = find(name);
  c.actual_bytes += Buffer::resident_bytes(n_bytes);
  PARO_CHECK(c.actual_bytes <= c.plan_bytes, "{}: {} of {} planned bytes", name, c.actual_bytes, c.plan_bytes);
  return buffers_.emplace_back(n_bytes, c.name.c_str(), pages).bytes();
}

}  // namespace paro
