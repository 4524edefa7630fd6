// What a header may say. Each refusal names the tensor and the file.
#include <gtest/gtest.h>

#include "checkpoint/safetensors.h"
#include "tests/base/temporary_directory.h"

namespace paro::test {
namespace {

constexpr int64_t kDataOffset = 1000;

auto parse(const std::string& header, int64_t n_data_bytes) {
  return parse_safetensors_header(header, kDataOffset, kDataOffset + n_data_bytes, "some.safetensors");
}

std::string refusal(const std::string& header, int64_t n_data_bytes) {
  const std::string message = error_of(ErrorKind::checkpoint, [&] { parse(header, n_data_bytes); });
  EXPECT_TRUE(contains(message, {"some.safetensors"}));
  return message;
}

// One tensor 'w' with these fields.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w": {"dtype": ")" + dtype + R"(", "shape": )" + shape + R"(, "data_offsets": )" + offsets + "}}";
}

TEST(SafetensorsHeader, GivesEveryTensorItsPlace) {
  const auto tensors = parse(R"({"b": {"dtype": "F16", "shape": [2, 3], "data_offsets": [4, 16]},
                                 "__metadata__": {"format": "pt", "nested": {"w": [1, null, true, 0.5, {}]}},
                                 "a": {"data_offsets": [0, 4], "shape": [], "dtype": "I32"},
                                 "none": {"dtype": "F32", "shape": [0, 8], "data_offsets": [16, 16]}}    )",
                             16);
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors.at("a").dtype, DType::i32);
  EXPECT_EQ(tensors.at("a").shape, Shape());
  EXPECT_EQ(tensors.at("a").offset_bytes, kDataOffset);
  EXPECT_EQ(tensors.at("a").n_bytes, 4);
  EXPECT_EQ(tensors.at("b").dtype, DType::f16);
  EXPECT_EQ(tensors.at("b").shape, (Shape{2, 3}));
  EXPECT_EQ(tensors.at("b").offset_bytes, kDataOffset + 4);
  EXPECT_EQ(tensors.at("b").n_bytes, 12);
  EXPECT_EQ(tensors.at("none").n_bytes, 0);
}

TEST(SafetensorsHeader, KnowsEveryDType) {
  for (const DType dtype :
       {DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32, DType::i16, DType::i8, DType::u8}) {
    const int64_t n_bytes = 3 * size_bytes(dtype);
    const auto tensors =
        parse(one(std::string(to_string(dtype)), "[3]", "[0, " + std::to_string(n_bytes) + "]"), n_bytes);
    EXPECT_EQ(tensors.at("w").dtype, dtype);
  }
}

TEST(SafetensorsHeader, MayBeEmpty) {
  EXPECT_TRUE(parse("{}", 0).empty());
  EXPECT_TRUE(parse(R"({"__metadata__": "text"})", 0).empty());
}

TEST(SafetensorsHeader, UnescapesNames) {
  EXPECT_TRUE(parse(R"({"a\"\u00e9":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1).contains("a\"é"));
}

TEST(SafetensorsHeader, MergesTheLeadingExtentsOfARankAboveFour) {
  EXPECT_EQ(parse(one("U8", "[2, 3, 1, 4, 5]", "[0, 120]"), 120).at("w").shape, (Shape{6, 1, 4, 5}));
  EXPECT_EQ(parse(one("U8", "[2, 3, 2, 1, 4, 5]", "[0, 240]"), 240).at("w").shape, (Shape{12, 1, 4, 5}));
  EXPECT_EQ(parse(one("U8", "[2, 0, 2, 1, 4]", "[0, 0]"), 0).at("w").shape, (Shape{0, 2, 1, 4}));
}

TEST(SafetensorsHeader, RejectsWhatIsNoHeader) {
  for (const char* text : {"", "   ", "{", "{]", R"({"w")", "{} x", "{}{}", "\xff{}", R"({"w": {"dtype": "F32)"}) {
    EXPECT_TRUE(contains(refusal(text, 0), {"not valid JSON"})) << text;
  }
  EXPECT_TRUE(contains(refusal("[]", 0), {"a list", "expected an object"}));
  EXPECT_TRUE(contains(refusal("3", 0), {"a number", "expected an object"}));
  EXPECT_TRUE(contains(refusal("null", 0), {"null", "expected an object"}));
  EXPECT_TRUE(contains(refusal(R"({"w": 3})", 0), {"'w' is a number"}));
  EXPECT_TRUE(contains(refusal(R"({"w": []})", 0), {"'w' is a list"}));
  std::string deep = R"({"__metadata__": )";
  deep.append(100000, '[');
  EXPECT_TRUE(contains(refusal(deep, 0), {"not valid JSON"}));
  EXPECT_TRUE(contains(refusal("{\"" + std::string(5000, 'n') + "\": {}}", 0), {"not valid JSON"}));
}

TEST(SafetensorsHeader, RejectsAnUnknownDType) {
  for (const char* dtype : {"F64", "BOOL", "F8_E4M3", "U32", "", "f32"}) {
    EXPECT_TRUE(contains(refusal(one(dtype, "[1]", "[0, 8]"), 8), {"'w' has dtype " + std::string(dtype), "BF16"}));
  }
}

TEST(SafetensorsHeader, RejectsFieldsOfAnotherType) {
  EXPECT_TRUE(contains(refusal(R"({"w": {"dtype": 3}})", 0), {"'w' has a number in its dtype", "a string"}));
  EXPECT_TRUE(contains(refusal(R"({"w": {"dtype": ["F32"]}})", 0), {"'w' has a list in its dtype"}));
  EXPECT_TRUE(contains(refusal(R"({"w": {"shape": "F32"}})", 0), {"'w' has a string in its shape", "integers"}));
  EXPECT_TRUE(contains(refusal(R"({"w": {"shape": 8}})", 0), {"'w' has a number in its shape"}));
  EXPECT_TRUE(contains(refusal(R"({"w": {"shape": {}}})", 0), {"'w' has an object in its shape"}));
  EXPECT_TRUE(contains(refusal(one("F32", "[[1]]", "[0, 4]"), 4), {"'w' has a list in its shape"}));
  EXPECT_TRUE(contains(refusal(one("F32", "[true]", "[0, 4]"), 4), {"'w' has a boolean in its shape"}));
  EXPECT_TRUE(contains(refusal(one("F32", "[1.0]", "[0, 4]"), 4), {"'w'", "its shape"}));
  EXPECT_TRUE(contains(refusal(one("F32", "[null]", "[0, 4]"), 4), {"'w' has null in its shape"}));
}

TEST(SafetensorsHeader, RejectsMissingUnknownAndDoubledFields) {
  EXPECT_TRUE(contains(refusal(R"({"w": {"shape": [], "data_offsets": [0, 4]}})", 4), {"'w' has no dtype"}));
  EXPECT_TRUE(contains(refusal(R"({"w": {"dtype": "F32", "data_offsets": [0, 4]}})", 4), {"'w' has no shape"}));
  EXPECT_TRUE(contains(refusal(R"({"w": {"dtype": "F32", "shape": []}})", 4), {"'w' has no data_offsets"}));
  EXPECT_TRUE(contains(refusal(R"({"w": {"strides": [1]}})", 4), {"'w' has a field 'strides'"}));
  EXPECT_TRUE(contains(refusal(R"({"w": {"shape": [], "shape": []}})", 4), {"'w' has two of shape"}));
}

TEST(SafetensorsHeader, RejectsANameThatStandsTwice) {
  const std::string w = R"("w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]})";
  EXPECT_TRUE(contains(refusal("{" + w + "," + w + "}", 1), {"'w' stands twice"}));
  EXPECT_TRUE(contains(refusal(R"({"__metadata__": {}, "__metadata__": {}})", 0), {"'__metadata__' stands twice"}));
}

TEST(SafetensorsHeader, RejectsNegativeAndOverflowingShapes) {
  EXPECT_TRUE(contains(refusal(one("F32", "[-1, -1]", "[0, 4]"), 4), {"'w' has -1 in its shape"}));
  const char* overflowing[] = {"[9223372036854775807]", "[4294967296, 4294967296]", "[4611686018427387904, 4, 0]",
                               "[0, 4611686018427387904, 4]", "[3037000500, 1, 1, 1, 3037000500]"};
  for (const char* shape : overflowing) {
    EXPECT_TRUE(contains(refusal(one("F32", shape, "[0, 0]"), 0), {"'w'", "exceeds 64 bits"})) << shape;
  }
  EXPECT_TRUE(contains(refusal(one("F32", "[9223372036854775808]", "[0, 0]"), 0), {"'w'", "9223372036854775808"}));
  EXPECT_TRUE(
      contains(refusal(one("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0, 4]"), 4), {"'w'", "more than 16"}));
}

TEST(SafetensorsHeader, RejectsOffsetsPastEndOfFile) {
  EXPECT_TRUE(contains(refusal(one("U8", "[17]", "[0, 17]"), 16), {"'w'", "17", "16 data bytes", "is the file whole"}));
  EXPECT_TRUE(contains(refusal(one("U8", "[9223372036854775807]", "[0, 9223372036854775807]"), 16), {"'w'"}));
}

TEST(SafetensorsHeader, RejectsOffsetsThatAreNoRange) {
  for (const char* offsets : {"[]", "[0]", "[0, 8, 8]", "[8, 0]"}) {
    EXPECT_TRUE(contains(refusal(one("F32", "[2]", offsets), 8), {"'w' has data_offsets", "a begin and an end"}));
  }
  EXPECT_TRUE(contains(refusal(one("F32", "[2]", "[-8, 0]"), 8), {"'w' has -8 in its data_offsets"}));
}

TEST(SafetensorsHeader, RejectsASizeThatDTypeAndShapeDoNotMake) {
  EXPECT_TRUE(contains(refusal(one("F32", "[2, 3]", "[0, 20]"), 20), {"'w' has 20 bytes, expected 24", "F32 [2, 3]"}));
}

TEST(SafetensorsHeader, RejectsOverlapsAndGaps) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a": {"dtype": "U8", "shape": [4], "data_offsets": )" + a +
           R"(}, "b": {"dtype": "U8", "shape": [4], "data_offsets": )" + b + "}}";
  };
  EXPECT_NO_THROW(parse(two("[4, 8]", "[0, 4]"), 8)) << "the header's order is free";
  EXPECT_TRUE(contains(refusal(two("[0, 4]", "[3, 7]"), 7), {"'b' begins at byte 1003", "1004", "a ends", "overlap"}));
  EXPECT_TRUE(contains(refusal(two("[0, 4]", "[0, 4]"), 4), {"'b' begins", "overlap"}));
  EXPECT_TRUE(contains(refusal(two("[0, 4]", "[5, 9]"), 9), {"'b' begins at byte 1005", "a gap"}));
  EXPECT_TRUE(contains(refusal(two("[1, 5]", "[5, 9]"), 9), {"'a' begins at byte 1001", "the header ends", "a gap"}));
  EXPECT_TRUE(contains(refusal(two("[0, 4]", "[4, 8]"), 10), {"has 1010 bytes, expected 1008"}));
  EXPECT_TRUE(contains(refusal("{}", 1), {"has 1001 bytes, expected 1000"}));
}

TEST(SafetensorsHeader, RejectsDataThatBeginsPastTheEndOfTheFile) {
  EXPECT_TRUE(contains(refusal("{}", -1), {"1000", "999", "is the file whole"}));
}

}  // namespace
}  // namespace paro::test
