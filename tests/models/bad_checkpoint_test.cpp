// A checkpoint that is not what its config says is refused before anything runs, by the name of what is wrong.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "tests/models/edited_checkpoint.h"

namespace paro {
namespace {

using test::contains;
using test::EditedTensor;
using test::error_of;

using test::replace;

// A copy of the MoE golden with every tensor given to `edit`, and one place of its config replaced.
struct EditedCheckpoint : test::EditedCheckpoint {
  explicit EditedCheckpoint(const std::function<void(EditedTensor&)>& edit, const std::string& config_from = "",
                            const std::string& config_to = "")
      : test::EditedCheckpoint("gemma4-moe", [&](std::vector<EditedTensor>& tensors, std::string& config) {
          for (EditedTensor& tensor : tensors) edit(tensor);
          EXPECT_TRUE(replace(config, config_from, config_to)) << config_from;
        }) {}
};

// As the golden's config.json writes them.
constexpr const char* kLayers = R"("num_hidden_layers": 3,
  "layer_types": [
   "sliding_attention",
   "sliding_attention",
   "full_attention"
  ])";

TEST(BadCheckpoint, AnUnchangedCopyLoads) {
  EXPECT_NO_THROW(EditedCheckpoint([](EditedTensor&) {}).open());
}

TEST(BadCheckpoint, ExpertsUnderAnotherModuleNameAreRefusedByName) {
  const EditedCheckpoint checkpoint([](EditedTensor& t) { replace(t.name, ".experts.", ".switch_mlp."); });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.0.experts.0.gate_proj.qweight", "switch_mlp"})) << message;
}

TEST(BadCheckpoint, AMissingTensorIsNamed) {
  const EditedCheckpoint checkpoint([](EditedTensor& t) {
    if (t.name.ends_with("layers.1.mlp.up_proj.scales")) t.name.clear();
  });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.1.mlp.up_proj.scales"})) << message;
}

TEST(BadCheckpoint, TensorsThatNobodyAskedForAreCountedAndNamed) {
  // The same files under a config of two layers: all of the third layer is left.
  const EditedCheckpoint checkpoint(
      [](EditedTensor& t) { replace(t.name, "layers.1.", "layers.9."), replace(t.name, "layers.2.", "layers.1."); },
      kLayers, R"("num_hidden_layers": 2, "layer_types": ["sliding_attention", "full_attention"])");
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.9.", "never"})) << message;
}

TEST(BadCheckpoint, ARenamedTensorIsNamedWithItsNeighbour) {
  const EditedCheckpoint checkpoint(
      [](EditedTensor& t) { replace(t.name, "layers.0.layer_scalar", "layers.0.layer_scale"); });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.0.layer_scalar", "layers.0.layer_scale"})) << message;
}

TEST(BadCheckpoint, AWrongShapeIsToldWithBoth) {
  const EditedCheckpoint checkpoint([](EditedTensor& t) {
    if (t.name.ends_with("layers.0.experts.gate_up_weight_theta")) t.shape = {8, 32};
  });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"gate_up_weight_theta", "[8, 32]", "[8, 64]"})) << message;
}

TEST(BadCheckpoint, AWrongDtypeIsToldWithBoth) {
  const EditedCheckpoint checkpoint([](EditedTensor& t) {
    if (t.name.ends_with("layers.0.mlp.down_proj.scales")) t.dtype = DType::f32;
  });
  const std::string message = error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
  EXPECT_TRUE(contains(message, {"layers.0.mlp.down_proj.scales", "F32", "F16"})) << message;
}

TEST(BadCheckpoint, PairsThatArePairedTwiceAreRefused) {
  const EditedCheckpoint checkpoint([](EditedTensor&) {});
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
  const EditedCheckpoint checkpoint([](EditedTensor&) {});
  const auto file = checkpoint.directory.path() / "model.safetensors";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1000);
  error_of(ErrorKind::checkpoint, [&] { checkpoint.open(); });
}

TEST(BadCheckpoint, ConfigsThatContradictAreRefused) {
  const auto message = [](const std::string& from, const std::string& to) {
    const EditedCheckpoint checkpoint([](EditedTensor&) {}, from, to);
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
