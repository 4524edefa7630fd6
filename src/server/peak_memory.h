// The most memory that the process has held, as the system counts it.
#pragma once

#include <cstdint>

namespace paro::server {

int64_t peak_resident_bytes();  // 0 where the system does not tell

}  // namespace paro::server
