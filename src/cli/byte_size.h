// Sizes as people write them: 8GiB, 8G, 500MiB, 1.5GB, or a part of the memory at hand: 50%.
#pragma once

#include <cstdint>
#include <string_view>

namespace paro::cli {

// K, M, G and T count in powers of 1024, as KiB and so on do; KB, MB, GB and TB in powers of 1000. A percentage is of
// `whole_bytes`. Throws Error{usage} naming `flag`.
int64_t parse_byte_size(std::string_view flag, std::string_view text, int64_t whole_bytes);

}  // namespace paro::cli
