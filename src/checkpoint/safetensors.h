// The safetensors files of a model directory: one model.safetensors, or the shards that model.safetensors.index.json
// names. Headers are checked whole before anything is read; data is read by position, from many threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace paro {

// Where a tensor lies. A stored rank above four (a convolution of a vision tower) is held as four: the leading extents
// are merged into the first, the element count stays.
struct StoredTensor {
  DType dtype = DType::f32;
  Shape shape;
  int file = 0;              // index into SafetensorsFiles::files()
  int64_t offset_bytes = 0;  // from the start of the file
  int64_t n_bytes = 0;
};

// The header of one safetensors file: name -> place. `header` is the JSON text, `data_offset_bytes` where data begins.
// Throws Error{checkpoint}: not an object, unknown dtype, negative or overflowing shape, offsets out of order, outside
// the file, overlapping, leaving a gap, or not the size that dtype and shape make.
std::map<std::string, StoredTensor, std::less<>> parse_safetensors_header(std::string_view header,
                                                                          int64_t data_offset_bytes,
                                                                          int64_t file_size_bytes,
                                                                          std::string_view file_name);

class SafetensorsFiles {
 public:
  // Opens <directory>/model.safetensors or its shards. Throws Error{checkpoint} or Error{io}.
  static SafetensorsFiles open(const std::filesystem::path& directory);
  static SafetensorsFiles open_file(const std::filesystem::path& file);

  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  const StoredTensor* find(std::string_view name) const;  // null when there is none
  std::span<const File> files() const { return files_; }
  int64_t n_bytes() const;  // of all tensors

  // Reads bytes [begin, begin + out.size()) of the tensor's data.
  void read(const StoredTensor& tensor, int64_t begin_bytes, std::span<std::byte> out) const;

 private:
  std::vector<File> files_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

// Writes one safetensors file; tensors are given in the order they are stored. `fill` is called for each in turn and
// writes its bytes to the sink in pieces of any size.
struct TensorToWrite {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::function<void(const std::function<void(std::span<const std::byte>)>& sink)> fill;
};
void write_safetensors(const std::filesystem::path& file, std::span<const TensorToWrite> tensors);

}  // namespace paro
