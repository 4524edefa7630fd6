// A checkpoint that is not what its config says is refused before anything runs, by the name of what is wrong.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "backends/reference/reference_backend.h"
#include "base/file.h"
#include "engine/model_runner.h"
#include "tests/base/temporary_directory.h"
#include "tests/models/golden.h"

namespace paro {
namespace {

using test::contains;
using test::error_of;
using test::Golden;
using test::TemporaryDirectory;

// A copy of a golden checkpoint whose tensors go through `edit`, which may rename, reshape or drop (empty name) them.
struct EditedCheckpoint {
  TemporaryDirectory directory;

  explicit EditedCheckpoint(const std::function<void(TensorToWrite&)>& edit, const std::string& config_from = "",
                            const std::string& config_to = "") {
    const auto golden = std::filesystem::path(PARO_SOURCE_DIR) / "tests/goldens/gemma4-moe";
    std::string config = read_text_file(golden / "config.json", 1 << 20);
    if (!config_from.empty()) {
      const auto at = config.find(config_from);
      EXPECT_NE(at, std::string::npos) << config_from;
      config.replace(at, config_from.size(), config_to);
    }
    directory.write("config.json", config);
    const auto files = SafetensorsFiles::open(golden);
    std::vector<TensorToWrite> tensors;
    std::vector<std::vector<std::byte>> data;
    data.reserve(files.tensors().size());
    for (const auto& [name, stored] : files.tensors()) {
      TensorToWrite tensor{name, stored.dtype, stored.shape, {}};
      edit(tensor);
      if (tensor.name.empty()) continue;
      auto& bytes = data.emplace_back(size_t(tensor.shape.n_elements() * size_bytes(tensor.dtype)));
      files.read(stored, 0, std::span(bytes).first(std::min(bytes.size(), size_t(stored.n_bytes))));
      tensor.fill = [&bytes](const auto& sink) { sink(bytes); };
      tensors.push_back(std::move(tensor));
    }
    write_safetensors(directory.path() / "model.safetensors", tensors);
  }

  void open() const {
    EngineOptions options;
    options.model = directory.path();
    ModelRunner runner(options, make_reference_backend());
  }
};

// As the golden's config.json writes them.
constexpr const char* kLayers = R"("num_hidden_layers": 3,
  "layer_types": [
   "sliding_attention",
   "sliding_attention",
   "full_attention"
  ])";

void replace(std::string& text, std::string_view from, std::string_view to) {
  if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
}

TEST(BadCheckpoint, AnUnchangedCopyLoads) {
  EXPECT_NO_THROW(EditedCheckpoint([](TensorToWrite&) {}).open());
}

TEST(BadCheckpoint, ExpertsUnderAnotherModuleNameAreRefusedByName) {
  const EditedCheckpoint checkpoint([](TensorToWrite& t) { replace(t.name, ".experts.", ".switch_mlp."); });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.0.experts.0.gate_proj.qweight", "switch_mlp"})) << message;
}

TEST(BadCheckpoint, AMissingTensorIsNamed) {
  const EditedCheckpoint checkpoint([](TensorToWrite& t) {
    if (t.name.ends_with("layers.1.mlp.up_proj.scales")) t.name.clear();
  });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.1.mlp.up_proj.scales"})) << message;
}

TEST(BadCheckpoint, TensorsThatNobodyAskedForAreCountedAndNamed) {
  // The same files under a config of two layers: all of the third layer is left.
  const EditedCheckpoint checkpoint(
      [](TensorToWrite& t) { replace(t.name, "layers.1.", "layers.9."), replace(t.name, "layers.2.", "layers.1."); },
      kLayers, R"("num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"])");
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.9.", "never"})) << message;
}

TEST(BadCheckpoint, ARenamedTensorIsNamedWithItsNeighbour) {
  const EditedCheckpoint checkpoint(
      [](TensorToWrite& t) { replace(t.name, "layers.0.layer_scalar", "layers.0.layer_scale"); });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.0.layer_scalar", "layers.0.layer_scale"})) << message;
}

TEST(BadCheckpoint, AWrongShapeIsToldWithBoth) {
  const EditedCheckpoint checkpoint([](TensorToWrite& t) {
    if (t.name.ends_with("layers.0.experts.gate_up_weight_theta")) t.shape = {8, 32};
  });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"gate_up_weight_theta", "[8, 32]", "[8, 64]"})) << message;
}

TEST(BadCheckpoint, AWrongDtypeIsToldWithBoth) {
  const EditedCheckpoint checkpoint([](TensorToWrite& t) {
    if (t.name.ends_with("layers.0.mlp.down_proj.scales")) t.dtype = DType::f32;
  });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.0.mlp.down_proj.scales", "F32", "F16"})) << message;
}

TEST(BadCheckpoint, PairsThatArePairedTwiceAreRefused) {
  const EditedCheckpoint checkpoint([](TensorToWrite&) {});
  // Damage the stored pairs of one projection in place.
  const auto file = checkpoint.directory.path() / "model.safetensors";
  const auto files = SafetensorsFiles::open_file(file);
  const StoredTensor* pairs = files.find("model.language_model.layers.0.self_attn.q_proj.pairs");
  ASSERT_NE(pairs, nullptr);
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekp(pairs->offset_bytes);
  const int16_t damaged[2] = {5, 5};
  stream.write(reinterpret_cast<const char*>(damaged), sizeof damaged);
  stream.close();
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"q_proj", "twice"})) << message;
}

TEST(BadCheckpoint, AFileCutShortIsRefused) {
  const EditedCheckpoint checkpoint([](TensorToWrite&) {});
  const auto file = checkpoint.directory.path() / "model.safetensors";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1000);
  error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
}

TEST(BadCheckpoint, ConfigsThatContradictAreRefused) {
  const auto message = [](const std::string& from, const std::string& to) {
    const EditedCheckpoint checkpoint([](TensorToWrite&) {}, from, to);
    try {
      checkpoint.open();
    } catch (const Error& error) {
      return std::string(to_string(error.kind())) + ": " + error.message();
    }
    return std::string("loads");
  };
  EXPECT_TRUE(contains(message("\"gemma4_text\"", "\"gemma9_text\""), {"config", "gemma9_text", "gemma4_text"}));
  EXPECT_TRUE(contains(message("\"num_experts\": 8", "\"num_experts\": \"8\""), {"config", "num_experts"}));
  EXPECT_TRUE(contains(message("\"num_experts\": 8,", ""), {"config", "num_experts"}));
  EXPECT_TRUE(contains(message("\"top_k_experts\": 2", "\"top_k_experts\": 9"), {"config", "top_k_experts", "9", "8"}));
  EXPECT_TRUE(contains(message("\"num_attention_heads\": 4", "\"num_attention_heads\": 3"), {"config", "3"}));
  EXPECT_TRUE(contains(message("\"group_size\": 64", "\"group_size\": 96"), {"config", "group_size", "96"}));
  EXPECT_TRUE(contains(message("\"paroquant\"", "\"gptq\""), {"config", "gptq", "paroquant"}));
  EXPECT_TRUE(contains(message("\"hidden_size\": 128", "\"hidden_size\": 256"), {"checkpoint", "256"}));
  EXPECT_TRUE(contains(message("\"num_experts\": 8", "\"num_experts\": 7"), {"checkpoint"}));
  EXPECT_TRUE(
      contains(message("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 0"), {"config", "num_hidden_layers"}));
}

}  // namespace
}  // namespace paro
