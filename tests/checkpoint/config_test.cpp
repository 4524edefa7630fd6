#include "checkpoint/config.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "tests/base/temporary_directory.h"

namespace paro::test {
namespace {

template <typename Body>
std::string config_error(Body&& body) {
  return error_of(ErrorKind::config, std::forward<Body>(body));
}

Config sample() {
  return Config::parse(R"({"int": -7, "float": 1e-6, "true": true, "text": "gelu", "null": null,
                           "ints": [1, 106, 50], "strings": ["a", "b"], "mixed": ["a", 1], "empty": [],
                           "large": 18446744073709551615, "vast": 1e400, "object": {"inner": {"deep": 3}}})",
                       "config.json");
}

TEST(Config, ReadsValuesOfEveryType) {
  const Config config = sample();
  EXPECT_EQ(config.get_int("int"), -7);
  EXPECT_EQ(config.get_float("float"), 1e-6);
  EXPECT_EQ(config.get_float("int"), -7.0);
  EXPECT_TRUE(config.get_bool("true"));
  EXPECT_EQ(config.get_string("text"), "gelu");
  EXPECT_EQ(config.get_ints("ints"), (std::vector<int64_t>{1, 106, 50}));
  EXPECT_EQ(config.get_ints("int"), (std::vector<int64_t>{-7}));
  EXPECT_EQ(config.get_strings("strings"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(config.get_strings("empty").empty());
  EXPECT_EQ(config.get_object("object").get_object("inner").get_int("deep"), 3);
}

TEST(Config, TakesTheDefaultForAnAbsentOrNullKey) {
  const Config config = sample();
  for (const char* key : {"gone", "null"}) {
    EXPECT_FALSE(config.has(key));
    EXPECT_EQ(config.get_int(key, 5), 5);
    EXPECT_EQ(config.get_float(key, 0.25), 0.25);
    EXPECT_TRUE(config.get_bool(key, true));
    EXPECT_EQ(config.get_string(key, "silu"), "silu");
    EXPECT_EQ(config.get_int_in(key, 8, 1, 16), 8);
  }
  EXPECT_EQ(config.get_int("int", 5), -7);
  EXPECT_EQ(config.get_string("text", "silu"), "gelu");
}

TEST(Config, NamesAKeyThatIsAbsentOrNull) {
  const Config config = sample();
  EXPECT_TRUE(contains(config_error([&] { config.get_int("hidden_size"); }),
                       {"'hidden_size' is absent", "an integer", "config.json"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_string("null"); }), {"'null' is null", "a string"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_object("gone"); }), {"'gone' is absent", "an object"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_int_in("gone", std::nullopt, 1, 2); }), {"'gone' is absent"}));
}

TEST(Config, RefusesAnotherTypeEvenWithADefault) {
  const Config config = sample();
  EXPECT_TRUE(contains(config_error([&] { config.get_int("text", 1); }), {"'text' is a string", "an integer"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_int("float"); }), {"'float'", "an integer"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_int("large"); }), {"'large'", "18446744073709551615"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_float("true", 1.0); }), {"'true' is a boolean", "a number"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_bool("int", true); }), {"'int' is an integer", "true or false"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_string("ints"); }), {"'ints' is a list", "a string"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_strings("text"); }), {"'text' is a string", "a list of strings"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_strings("mixed"); }), {"'mixed[1]' is an integer"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_ints("strings"); }), {"'strings[0]' is a string"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_object("int"); }), {"'int' is an integer", "an object"}));
}

TEST(Config, RefusesANumberThatNoDoubleHolds) {
  const Config config = sample();
  EXPECT_TRUE(contains(config_error([&] { config.get_float("vast"); }), {"'vast' is not finite"}));
}

TEST(Config, HoldsAnIntegerToItsRange) {
  const Config config = sample();
  EXPECT_EQ(config.get_int_in("int", std::nullopt, -7, -7), -7);
  EXPECT_TRUE(contains(config_error([&] { config.get_int_in("int", std::nullopt, 1, 16); }),
                       {"'int' is -7", "1 to 16", "config.json"}));
  EXPECT_TRUE(contains(config_error([&] { config.get_int_in("int", std::nullopt, -20, -8); }), {"-20 to -8"}));
}

TEST(Config, SaysWhereANestedKeyStands) {
  const Config inner = sample().get_object("object").get_object("inner");
  EXPECT_EQ(inner.where(), "config.json: object.inner");
  EXPECT_TRUE(contains(config_error([&] { inner.get_int("gone"); }), {"config.json: object.inner"}));
}

TEST(Config, OutlivesTheObjectItWasCutFrom) {
  const Config inner = [] { return sample().get_object("object"); }().get_object("inner");
  EXPECT_EQ(inner.keys(), (std::vector<std::string>{"deep"}));
  EXPECT_EQ(inner.get_int("deep"), 3);
}

TEST(Config, NamesTheLineOfAMistakeInTheJson) {
  EXPECT_TRUE(contains(config_error([] { Config::parse("{\n\"a\": 1,\n\"b\" 2}", "config.json"); }),
                       {"config.json", "not valid JSON", "line 3"}));
  EXPECT_TRUE(contains(config_error([] { Config::parse("{\"a\": 1", "config.json"); }), {"not valid JSON"}));
  EXPECT_TRUE(contains(config_error([] { Config::parse("{} {}", "config.json"); }), {"not valid JSON"}));
  EXPECT_TRUE(contains(config_error([] { Config::parse("", "config.json"); }), {"not valid JSON"}));
  EXPECT_TRUE(contains(config_error([] { Config::parse("[1]", "config.json"); }), {"holds a list", "an object"}));
}

TEST(Config, LimitsItsDepth) {
  const auto nested = [](size_t depth) {
    std::string text;
    for (size_t i = 0; i < depth; ++i) text += "{\"a\":";
    return text + "1" + std::string(depth, '}');
  };
  EXPECT_NO_THROW(Config::parse(nested(64), "config.json"));
  EXPECT_TRUE(contains(config_error([&] { Config::parse(nested(65), "config.json"); }), {"not valid JSON"}));
  EXPECT_TRUE(contains(config_error([&] { Config::parse(nested(100000), "config.json"); }), {"not valid JSON"}));
}

TEST(Config, LoadsAFileAndLimitsItsSize) {
  const TemporaryDirectory directory;
  const auto file = directory.write("generation_config.json", R"({"eos_token_id": [1, 106]})");
  EXPECT_EQ(Config::load(file).get_ints("eos_token_id"), (std::vector<int64_t>{1, 106}));
  EXPECT_TRUE(contains(Config::load(file).where(), {"generation_config.json"}));
  directory.write("large.json", std::string((16 << 20) + 1, ' '));
  EXPECT_TRUE(contains(error_of(ErrorKind::io, [&] { Config::load(directory.path() / "large.json"); }),
                       {"large.json", "16777217"}));
}

TEST(ModelConfig, ReadsANestedConfig) {
  const ModelConfig config = ModelConfig::load(std::filesystem::path(PARO_SOURCE_DIR) / "tests/goldens/gemma4-moe");
  EXPECT_TRUE(config.nested);
  EXPECT_EQ(config.model_type, "gemma4_text");
  EXPECT_EQ(config.root.get_string("model_type"), "gemma4");
  EXPECT_EQ(config.text.get_int("hidden_size"), 128);
  EXPECT_EQ(config.group_size, 64);
  EXPECT_EQ(config.krot, 8);
}

TEST(ModelConfig, ReadsAFlatConfig) {
  const ModelConfig config = ModelConfig::load(std::filesystem::path(PARO_SOURCE_DIR) / "tests/goldens/qwen3");
  EXPECT_FALSE(config.nested);
  EXPECT_EQ(config.model_type, "qwen3");
  EXPECT_EQ(config.text.get_int("hidden_size"), 128);
  EXPECT_EQ(config.group_size, 128);
}

ModelConfig parse_model(const std::string& quantization) {
  return ModelConfig::parse(R"({"model_type": "llama", "quantization_config": )" + quantization + "}", "config.json");
}

TEST(ModelConfig, TakesGroupSizeAndKrotAsTheyStand) {
  const ModelConfig config = parse_model(R"({"quant_method": "paroquant", "bits": 4, "group_size": 64, "krot": 16})");
  EXPECT_EQ(config.group_size, 64);
  EXPECT_EQ(config.krot, 16);
  EXPECT_EQ(parse_model(R"({"quant_method": "paroquant", "bits": 4, "group_size": 128})").krot, 8);
}

TEST(ModelConfig, RefusesAnotherQuantization) {
  EXPECT_TRUE(contains(config_error([] { parse_model(R"({"quant_method": "awq", "bits": 4, "group_size": 64})"); }),
                       {"'quant_method' is 'awq'", "'paroquant'", "only ParoQuant INT4"}));
  EXPECT_TRUE(
      contains(config_error([] { parse_model(R"({"quant_method": "paroquant", "bits": 3, "group_size": 64})"); }),
               {"'bits' is 3", "expected 4"}));
  EXPECT_TRUE(
      contains(config_error([] { parse_model(R"({"quant_method": "paroquant", "bits": 4, "group_size": 32})"); }),
               {"'group_size' is 32", "64 or 128"}));
  EXPECT_TRUE(contains(
      config_error([] { parse_model(R"({"quant_method": "paroquant", "bits": 4, "group_size": 4294967360})"); }),
      {"'group_size' is 4294967360"}));
  for (const char* krot : {"0", "17", "-1"}) {
    const std::string text =
        R"({"quant_method": "paroquant", "bits": 4, "group_size": 64, "krot": )" + std::string(krot) + "}";
    EXPECT_TRUE(contains(config_error([&] { parse_model(text); }), {"'krot'", "1 to 16", "quantization_config"}));
  }
  EXPECT_TRUE(contains(config_error([] { parse_model("null"); }), {"'quantization_config' is absent", "paroquant"}));
  EXPECT_TRUE(contains(config_error([] { parse_model("{}"); }), {"'quant_method' is absent"}));
}

TEST(ModelConfig, FindsQuantizationAndModelTypeInEitherPlace) {
  const ModelConfig inside = ModelConfig::parse(
      R"({"model_type": "outer", "text_config": {"hidden_size": 8,
          "quantization_config": {"quant_method": "paroquant", "bits": 4, "group_size": 64}}})",
      "config.json");
  EXPECT_TRUE(inside.nested);
  EXPECT_EQ(inside.model_type, "outer");
  EXPECT_EQ(inside.group_size, 64);
  EXPECT_TRUE(contains(config_error([] { ModelConfig::parse(R"({"text_config": {}})", "config.json"); }),
                       {"'model_type' is absent"}));
}

}  // namespace
}  // namespace paro::test
