#include "checkpoint/weight_map.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/base/temporary_directory.h"

namespace paro::test {
namespace {

using namespace std::string_view_literals;

class WeightMapOfNames : public testing::Test {
 protected:
  // A file of F16 [8, 4] tensors.
  SafetensorsFiles files_of(std::initializer_list<std::string> names) const {
    std::vector<TensorToWrite> tensors;
    for (const std::string& name : names) {
      tensors.push_back({name, DType::f16, {8, 4}, [](const auto& sink) { sink(std::array<std::byte, 64>{}); }});
    }
    write_safetensors(directory_.path() / "model.safetensors", tensors);
    return SafetensorsFiles::open(directory_.path());
  }

  template <typename Body>
  static std::string refusal(Body&& body) {
    return error_of(ErrorKind::checkpoint, std::forward<Body>(body));
  }

  const TemporaryDirectory directory_;
};

TEST_F(WeightMapOfNames, GivesATensorOfTheTypeAndShapeAskedFor) {
  const auto files = files_of({"a", "b"});
  WeightMap map(files);
  EXPECT_TRUE(map.has("a"));
  EXPECT_FALSE(map.has("c"));
  EXPECT_EQ(&map.take("a", {DType::bf16, DType::f16}, {8, 4}), files.find("a"));
  EXPECT_EQ(map.left(), (std::vector<std::string>{"b"}));
  map.take("b", {DType::f16}, {8, 4});
  EXPECT_TRUE(map.left().empty());
  EXPECT_NO_THROW(map.check_all_taken({}));
}

TEST_F(WeightMapOfNames, NamesTheStoredTensorNearestToAMissingOne) {
  const auto files = files_of(
      {"model.layers.0.experts.switch_mlp.0.down_proj.qweight", "model.layers.0.experts.switch_mlp.0.gate_proj.qweight",
       "model.layers.0.experts.switch_mlp.0.gate_proj.scales", "model.layers.1.experts.switch_mlp.0.gate_proj.qweight",
       "model.layers.0.experts.switch_mlp.0.up_proj.qweight", "model.norm.weight"});
  WeightMap map(files);
  EXPECT_EQ(refusal([&] {
              map.take("model.layers.0.experts.0.gate_proj.qweight", {DType::i32}, {8, 2});
            }),
            "'model.layers.0.experts.0.gate_proj.qweight' is missing, expected I32 [8, 2]; the nearest stored name is "
            "'model.layers.0.experts.switch_mlp.0.gate_proj.qweight'");
  EXPECT_EQ(map.left().size(), 6u);
}

TEST_F(WeightMapOfNames, SaysThatNoStoredNameIsLikeAMissingOne) {
  const auto files = files_of({"zzz"});
  WeightMap map(files);
  EXPECT_TRUE(contains(refusal([&] { map.take("model.norm", {DType::f16}, {4}); }), {"no stored name is like it"}));
}

TEST_F(WeightMapOfNames, RefusesAnotherShape) {
  const auto files = files_of({"w"});
  WeightMap map(files);
  EXPECT_EQ(refusal([&] { map.take("w", {DType::f16}, {8, 1408}); }), "'w' is [8, 4], expected [8, 1408]");
  EXPECT_EQ(refusal([&] { map.take("w", {DType::f16}, {32}); }), "'w' is [8, 4], expected [32]");
  EXPECT_EQ(map.left().size(), 1u) << "a refused tensor does not count as taken";
}

TEST_F(WeightMapOfNames, RefusesAnotherType) {
  const auto files = files_of({"w"});
  WeightMap map(files);
  EXPECT_EQ(refusal([&] {
              map.take("w", {DType::f32, DType::bf16}, {8, 4});
            }),
            "'w' is F16 [8, 4], expected F32 or BF16 [8, 4]");
}

TEST_F(WeightMapOfNames, CountsWhatWasNeverRead) {
  const auto files = files_of({"model.b", "model.a", "lm_head"});
  WeightMap map(files);
  map.take("lm_head", {DType::f16}, {8, 4});
  EXPECT_TRUE(contains(refusal([&] { map.check_all_taken({}); }), {"2 tensors were never read, first 'model.a'"}));
  map.take("model.a", {DType::f16}, {8, 4});
  EXPECT_TRUE(contains(refusal([&] { map.check_all_taken({}); }), {"1 tensor was never read, first 'model.b'"}));
}

TEST_F(WeightMapOfNames, SkipsByStartOfNameOrByPartThatBeginsWithADot) {
  const auto files = files_of({"model.vision_tower.w", "model.layers.0.mtp.w", "mtp.w", "model.visible"});
  const WeightMap map(files);
  EXPECT_NO_THROW(map.check_all_taken(std::array{"model.vis"sv, ".mtp."sv, "mtp."sv}));
  EXPECT_TRUE(contains(refusal([&] {
                         map.check_all_taken(std::array{"model.vis"sv, "mtp."sv});
                       }),
                       {"1 tensor", "'model.layers.0.mtp.w'"}));
  EXPECT_TRUE(contains(refusal([&] { map.check_all_taken(std::array{"vision_tower."sv, ".mtp."sv}); }), {"3 tensors"}));
}

}  // namespace
}  // namespace paro::test
