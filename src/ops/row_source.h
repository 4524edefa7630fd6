// Where rows of tables come from that are not in memory. Asked in `embedding` only, by the thread that runs the step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace paro {

class RowSource {
 public:
  virtual ~RowSource() = default;

  // The stored rows `ids` of a table, one after the other in their order; an id may stand several times. Takes no
  // memory. Throws Error{io} when a row cannot be read.
  virtual void read_rows(int table, std::span<const int32_t> ids, std::span<std::byte> rows) = 0;
};

}  // namespace paro
