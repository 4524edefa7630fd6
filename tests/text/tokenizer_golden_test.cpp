// Against Hugging Face tokenizers: tools/tokenizer_check/make_goldens.py writes what it gives.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace paro::text {
namespace {

namespace json = boost::json;

std::string read_source_file(std::string_view path) {
  return read_text_file(fmt::format("{}/{}", PARO_SOURCE_DIR, path), 1 << 24);
}

json::object read_golden(std::string_view name) {
  return json::parse(read_source_file(fmt::format("tests/text/goldens/{}.json", name))).as_object();
}

std::vector<int32_t> ids_of(const json::value& value) { return json::value_to<std::vector<int32_t>>(value); }
std::string text_of(const json::value& value) { return json::value_to<std::string>(value); }

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) bytes += char(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

std::string stream(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special_tokens) {
  StreamDecoder decoder(tokenizer, skip_special_tokens);
  std::string text;
  for (const int32_t id : ids) {
    const std::string piece = decoder.push(id);
    EXPECT_TRUE(is_valid_utf8(piece));
    text += piece;
  }
  return text + decoder.finish();
}

// Cases are [ids, text with special tokens, text without].
void expect_decodings(const Tokenizer& tokenizer, const json::array& cases) {
  for (const json::value& each : cases) {
    const std::vector<int32_t> ids = ids_of(each.at(0));
    for (const bool skip : {false, true}) {
      const std::string expected = text_of(each.at(skip ? 2 : 1));
      EXPECT_EQ(tokenizer.decode(ids, skip), expected) << json::serialize(each.at(0));
      EXPECT_EQ(stream(tokenizer, ids, skip), expected) << json::serialize(each.at(0));
    }
  }
}

TEST(TokenizerGoldens, EveryFeatureMatchesHuggingFace) {
  const json::object golden = read_golden("tokenizer_features");
  const json::array& texts = golden.at("texts").as_array();
  ASSERT_GT(golden.at("tokenizers").as_object().size(), 100u);
  for (const auto& [name, parts] : golden.at("tokenizers").as_object()) {
    SCOPED_TRACE(std::string(name));
    json::object file = parts.as_object();
    file["model"] = golden.at("models").at(text_of(parts.at("model")));
    const Tokenizer tokenizer = Tokenizer::from_json(json::serialize(file));
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::string text = text_of(texts[i]);
      EXPECT_EQ(tokenizer.encode(text, true), ids_of(parts.at("ids").at(i))) << "'" << text << "'";
    }
    expect_decodings(tokenizer, parts.at("decodings").as_array());
  }
}

TEST(TokenizerGoldens, DemoModelMatchesHuggingFace) {
  const json::object golden = read_golden("demo_tokenizer");
  const Tokenizer tokenizer = Tokenizer::from_json(read_source_file("models/demo/tokenizer.json"));
  ASSERT_GT(golden.at("encodings").as_array().size(), 100u);
  for (const json::value& each : golden.at("encodings").as_array()) {
    const std::string text = from_hex(each.at(0).as_string());
    const std::vector<int32_t> ids = ids_of(each.at(1));
    EXPECT_EQ(tokenizer.encode(text, true), ids) << "'" << text << "'";
    EXPECT_EQ(tokenizer.decode(ids, true), text_of(each.at(2)));
    EXPECT_EQ(stream(tokenizer, ids, true), text_of(each.at(2)));
  }
  expect_decodings(tokenizer, golden.at("decodings").as_array());
}

}  // namespace
}  // namespace paro::text
