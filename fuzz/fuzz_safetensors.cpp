// The safetensors header. An input's first line is the number of data bytes of the file, the rest its header. What is
// accepted must be sound: every tensor within the data, each of the size it says, all of the data covered.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "checkpoint/safetensors.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t n_bytes) {
  using paro::require;
  const std::string_view input(reinterpret_cast<const char*>(bytes), n_bytes);
  const size_t line_end = input.find('\n');
  const std::string_view line = input.substr(0, line_end);
  const std::string_view header = line_end == std::string_view::npos ? "" : input.substr(line_end + 1);
  int64_t n_data_bytes = 0;
  std::from_chars(line.data(), line.data() + line.size(), n_data_bytes);
  const int64_t data_offset_bytes = 8 + int64_t(header.size());
  int64_t file_size_bytes = 0;
  if (__builtin_add_overflow(data_offset_bytes, n_data_bytes, &file_size_bytes)) return 0;

  paro::allow(paro::ErrorKind::checkpoint, [&] {
    int64_t n_covered_bytes = 0;
    for (const auto& [name, tensor] :
         paro::parse_safetensors_header(header, data_offset_bytes, file_size_bytes, "fuzz.safetensors")) {
      require(name != "__metadata__");
      require(tensor.offset_bytes >= data_offset_bytes && tensor.n_bytes >= 0);
      require(tensor.n_bytes <= file_size_bytes - tensor.offset_bytes);
      require(tensor.shape.n_elements() * paro::size_bytes(tensor.dtype) == tensor.n_bytes);
      for (int i = 0; i < tensor.shape.rank(); ++i) require(tensor.shape[i] >= 0);
      n_covered_bytes += tensor.n_bytes;
    }
    require(n_covered_bytes == n_data_bytes);
  });
  return 0;
}
