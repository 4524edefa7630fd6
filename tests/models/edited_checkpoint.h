// A copy of a golden checkpoint, changed on its way: tensors renamed, reshaped, dropped, replaced or added.
#pragma once

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "backends/reference/reference_backend.h"
#include "base/file.h"
#include "engine/model_runner.h"
#include "tests/base/temporary_directory.h"

namespace paro::test {

struct EditedTensor {
  std::string name;  // empty: dropped
  DType dtype;
  Shape shape;
  std::vector<std::byte> data;  // of the stored tensor; cut or padded to what dtype and shape make

  template <typename T>
  T get(int64_t index) const {
    T value;
    std::memcpy(&value, data.data() + index * int64_t(sizeof(T)), sizeof(T));
    return value;
  }
  template <typename T>
  void set(int64_t index, T value) {
    std::memcpy(data.data() + index * int64_t(sizeof(T)), &value, sizeof(T));
  }
};

struct EditedCheckpoint {
  using Edit = std::function<void(std::vector<EditedTensor>& tensors, std::string& config)>;

  TemporaryDirectory directory;

  EditedCheckpoint(const std::string& golden_name, const Edit& edit) {
    const auto golden = std::filesystem::path(PARO_SOURCE_DIR) / "tests/goldens" / golden_name;
    std::string config = read_text_file(golden / "config.json", 1 << 20);
    const auto files = SafetensorsFiles::open(golden);
    std::vector<EditedTensor> tensors;
    for (const auto& [name, stored] : files.tensors()) {
      tensors.push_back({name, stored.dtype, stored.shape, std::vector<std::byte>(size_t(stored.n_bytes))});
      files.read(stored, 0, tensors.back().data);
    }
    edit(tensors, config);
    directory.write("config.json", config);
    std::vector<TensorToWrite> writes;
    for (EditedTensor& tensor : tensors) {
      if (tensor.name.empty()) continue;
      tensor.data.resize(size_t(tensor.shape.n_elements() * size_bytes(tensor.dtype)));
      writes.push_back({tensor.name, tensor.dtype, tensor.shape, [&tensor](const auto& sink) { sink(tensor.data); }});
    }
    write_safetensors(directory.path() / "model.safetensors", writes);
  }

  EngineOptions options() const {
    EngineOptions options;
    options.model = directory.path();
    options.max_context = 128;
    options.max_batch = 1;
    options.prefill_chunk = 64;
    options.max_logit_rows = 64;
    return options;
  }

  void open() const { ModelRunner runner(options(), make_reference_backend()); }
};

// The first occurrence of `from` in `text`, replaced; whether there was one.
inline bool replace(std::string& text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  if (at == std::string::npos) return false;
  text.replace(at, from.size(), to);
  return true;
}

}  // namespace paro::test
