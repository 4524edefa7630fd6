#include "text/llama3_format.h"

#include <boost/json/parse.hpp>
#include <memory>

#include "tests/text/parsed_answer.h"

namespace paro::text {
namespace {

const Tokenizer& llama_tokenizer() {
  static const Tokenizer tokenizer =
      letter_tokenizer({"<|python_tag|>", "<|eom_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"});
  return tokenizer;
}

ParsedAnswer parse(std::string_view text, bool reads_calls = true) {
  ParserOptions options{.reads_calls = reads_calls};
  if (reads_calls)
    options.tools = std::make_shared<const OfferedTools>(
        boost::json::parse(R"([{"function":{"name":"now"}},{"function":{"name":"add"}}])").as_array());
  return parse(*make_llama3_parser(llama_tokenizer(), options), llama_tokenizer().encode(text, false));
}

TEST(Llama3Format, IsChosenByTheTokenizersMarkers) { EXPECT_EQ(chat_format_for(llama_tokenizer()).name, "llama3"); }

TEST(Llama3Format, AnObjectThatNamesAFunctionIsACall) {
  const ParsedAnswer answer = parse(R"({"name": "add", "parameters": {"a": 1, "b": "x"}})");
  EXPECT_EQ(answer.calls, (std::vector<ParsedCall>{{"add", R"({"a":1,"b":"x"})", true}}));
  EXPECT_EQ(answer.content, "");
  EXPECT_EQ(parse("\n{\"type\": \"function\", \"name\": \"now\", \"parameters\": {}}\n").calls.size(), 1u);
}

TEST(Llama3Format, OtherObjectsAreContent) {
  for (const std::string_view text :
       {R"({"name": "Mia", "parameters": {}})", R"({"name": "add", "description": "adds"})", R"( {"city": "Oslo"} yes)",
        R"([{"name": "add"}])", R"(So {"name": "add", "parameters": {}})", "{", " \n", ""}) {
    const ParsedAnswer answer = parse(text);
    EXPECT_TRUE(answer.calls.empty()) << text;
    EXPECT_EQ(answer.content, text);
  }
}

TEST(Llama3Format, WithoutToolsAnObjectIsContentAndTheMarkerHidden) {
  const std::string call = R"({"name": "add", "parameters": {}})";
  EXPECT_EQ(parse(call, false).content, call);
  EXPECT_EQ(parse("<|python_tag|>" + call, false).content, call);
}

TEST(Llama3Format, TheMarkerMakesAnyNameACall) {
  const ParsedAnswer answer =
      parse("Look: <|python_tag|>{\"name\": \"other\", \"parameters\": {\"q\": \"x\"}}<|eom_id|>");
  EXPECT_EQ(answer.content, "Look: ");
  EXPECT_EQ(answer.calls, (std::vector<ParsedCall>{{"other", R"({"q":"x"})", true}}));
}

TEST(Llama3Format, CodeBehindTheMarkerIsContent) { EXPECT_EQ(parse("<|python_tag|>print(1)").content, "print(1)"); }

TEST(Llama3Format, SeveralCallsFollowEachOther) {
  const std::string text = R"({"name": "now", "parameters": {}}; {"name": "add", "parameters": {"a": 2}})";
  for (const std::string_view marker : {"", "<|python_tag|>"}) {
    const ParsedAnswer answer = parse(std::string(marker) + text + "\nDone");
    EXPECT_EQ(answer.calls, (std::vector<ParsedCall>{{"now", "{}", true}, {"add", R"({"a":2})", true}}));
    EXPECT_EQ(answer.content, "Done");
  }
}

TEST(Llama3Format, ACallThatBreaksOffKeepsItsArgumentsAsJson) {
  EXPECT_EQ(parse(R"({"name": "add", "parameters": {"a": "x)").calls,
            (std::vector<ParsedCall>{{"add", R"({"a":"x"})", false}}));
}

}  // namespace
}  // namespace paro::text
