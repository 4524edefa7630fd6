// The header of a block's file, and the names that such files have. What is accepted must be what would be written.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "engine/prefix_file.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t n_bytes) {
  const auto input = std::as_bytes(std::span(bytes, n_bytes));
  if (const auto header = paro::PrefixFileHeader::parse(input)) {
    const auto written = header->to_bytes();
    require(std::ranges::equal(written, input.first(written.size())));
    require(*std::ranges::min_element(header->n_bytes) >= 0);
  }
  const std::string_view name(reinterpret_cast<const char*>(bytes), n_bytes);
  if (const auto key = paro::PrefixKey::parse(name)) require(key->hex() == name);
  return 0;
}
