// A golden checkpoint: a model directory beside expected.safetensors, made with transformers.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/safetensors.h"

namespace paro::test {

struct Golden {
  std::filesystem::path directory;
  std::vector<int32_t> input_ids;          // [T]
  std::vector<float> logits;               // [T, vocab]
  std::vector<std::vector<float>> hidden;  // after the embedding and each layer, [T, hidden]
  std::vector<int32_t> greedy;             // continuation

  static Golden load(const std::string& name) {
    Golden golden;
    golden.directory = std::filesystem::path(PARO_SOURCE_DIR) / "tests/goldens" / name;
    const auto files = SafetensorsFiles::open_file(golden.directory / "expected.safetensors");
    const auto read = [&]<typename T>(const std::string& tensor, std::vector<T>& out) {
      const StoredTensor* stored = files.find(tensor);
      if (stored == nullptr) return false;
      out.resize(size_t(stored->shape.n_elements()));
      files.read(*stored, 0, std::as_writable_bytes(std::span(out)));
      return true;
    };
    read("input_ids", golden.input_ids);
    read("logits", golden.logits);
    read("greedy", golden.greedy);
    for (std::vector<float> hidden; read("hidden." + std::to_string(golden.hidden.size()), hidden);) {
      golden.hidden.push_back(std::move(hidden));
    }
    return golden;
  }
};

}  // namespace paro::test
