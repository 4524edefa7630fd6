#include "text/qwen_format.h"

#include <boost/json/parse.hpp>
#include <memory>

#include "tests/text/parsed_answer.h"
#include "text/function_call.h"
#include "text/json_call.h"

namespace paro::text {
namespace {

namespace json = boost::json;

const Tokenizer& qwen_tokenizer() {
  static const Tokenizer tokenizer = letter_tokenizer(
      {"<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>"}, /*show_markers=*/true);
  return tokenizer;
}

std::shared_ptr<const OfferedTools> tools() {
  return std::make_shared<const OfferedTools>(json::parse(R"([{"type":"function","function":{"name":"save",
      "parameters":{"type":"object","properties":{
        "text":{"type":"string"}, "n":{"type":"integer"}, "on":{"type":"boolean"}, "list":{"type":"array"},
        "maybe":{"type":["string","null"]}, "either":{"type":["string","integer"]}}}}}])")
                                                  .as_array());
}

ParsedAnswer parse_qwen3(std::string_view text, const ParserOptions& options = {}) {
  return parse(*make_qwen3_parser(qwen_tokenizer(), options), qwen_tokenizer().encode(text, false));
}

ParsedAnswer parse_qwen35(std::string_view text, ParserOptions options = {}) {
  options.tools = tools();
  return parse(*make_qwen35_parser(qwen_tokenizer(), options), qwen_tokenizer().encode(text, false));
}

ParsedAnswer read_json(std::string_view text) {
  return read_call([] { return std::make_unique<JsonCallReader>(); }, text);
}

ParsedAnswer read_tags(std::string_view text, Ending ending = Ending::closed) {
  return read_call([] { return std::make_unique<FunctionCallReader>(tools()); }, text, ending);
}

// Templates that differ in how they write a call, as those of Qwen3 and Qwen3.5 do.
ChatTemplate template_with(std::string_view call) {
  return ChatTemplate::parse(
      "{% for m in messages %}{{ m.content }}{% for call in m.tool_calls or [] %}{% set f = call.function %}" +
      std::string(call) + "{% endfor %}{% endfor %}");
}

TEST(QwenFormat, IsChosenByTheTemplateWhereMarkersAreTheSame) {
  const ChatTemplate tags = template_with(R"(<tool_call>{{ "<function=" ~ f.name ~ ">" }}</function></tool_call>)");
  const ChatTemplate object = template_with(R"(<tool_call>{"name": "{{ f.name }}"}</tool_call>)");
  const ChatTemplate broken = template_with("{{ raise_exception('no calls') }}");
  EXPECT_EQ(chat_format_for(qwen_tokenizer(), &tags).name, "qwen3.5");
  EXPECT_EQ(chat_format_for(qwen_tokenizer(), &object).name, "qwen3");
  EXPECT_EQ(chat_format_for(qwen_tokenizer(), &broken).name, "qwen3");
  EXPECT_EQ(chat_format_for(qwen_tokenizer()).name, "qwen3");
}

TEST(QwenFormat, ThoughtsLoseTheNewlinesAroundThem) {
  const ParsedAnswer answer = parse_qwen3("<think>\nFirst.\n\nThen.\n</think>\n\nDone.\n\nYes.\n");
  EXPECT_EQ(answer.reasoning, "First.\n\nThen.");
  EXPECT_EQ(answer.content, "Done.\n\nYes.\n");
  EXPECT_EQ(parse_qwen3("<think>\n\n</think>\n\nHi").reasoning, "");
  EXPECT_EQ(parse_qwen3("<think>\n\n</think>\n\nHi").content, "Hi");
  EXPECT_EQ(parse_qwen3("\n\nHi").content, "\n\nHi");
  EXPECT_EQ(parse_qwen3("<think>so\n").reasoning, "so\n");
}

TEST(QwenFormat, PromptsThatEndInAThoughtAreSeen) {
  const ChatFormat& format = chat_format_for(qwen_tokenizer());
  const auto thought_at_end = [&](std::string_view prompt) {
    return format.thought_at_end(qwen_tokenizer(), qwen_tokenizer().encode(prompt, false));
  };
  EXPECT_EQ(thought_at_end("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n"), ThoughtState::open);
  EXPECT_EQ(thought_at_end("<|im_start|>assistant\n<think>\nBegun"), ThoughtState::open);
  EXPECT_EQ(thought_at_end("<|im_start|>assistant\n<think>\n\n</think>\n\n"), ThoughtState::closed);
  EXPECT_EQ(thought_at_end("<|im_start|>user\n<think><|im_end|>\n<|im_start|>assistant\n"), ThoughtState::possible);
  EXPECT_EQ(thought_at_end("<|im_start|>user\n<think><|im_end|>\n"), ThoughtState::possible);
  const ParsedAnswer answer = parse_qwen3("Well\n</think>\n\nHi", {.in_thought = true});
  EXPECT_EQ(answer.reasoning, "Well");
  EXPECT_EQ(answer.content, "Hi");
}

TEST(QwenFormat, CallsOfJsonAreRead) {
  const ParsedAnswer answer = parse_qwen3(
      "I look.\n<tool_call>\n{\"name\": \"a\", \"arguments\": {\"x\": [1, {\"y\": \"z\"}], \"b\": "
      "true}}\n</tool_call>\n"
      "<tool_call>\n{\"name\": \"b\", \"arguments\": {}}\n</tool_call>\n");
  EXPECT_EQ(answer.content, "I look.");
  EXPECT_EQ(answer.calls, (std::vector<ParsedCall>{{"a", R"({"x":[1,{"y":"z"}],"b":true})", true}, {"b", "{}", true}}));
}

TEST(QwenFormat, CallsEndThoughtsAndOtherCalls) {
  const ParsedAnswer answer = parse_qwen3(
      "<think>\nuse it\n<tool_call>\n{\"name\":\"f\",\"arguments\":{\"a\":1}}<tool_call>{\"name\":\"g\"}</tool_call>");
  EXPECT_EQ(answer.reasoning, "use it");
  EXPECT_EQ(answer.calls, (std::vector<ParsedCall>{{"f", R"({"a":1})", true}, {"g", "{}", true}}));
  EXPECT_EQ(answer.content, "");
}

TEST(QwenFormat, CallsOfAModelWithoutToolsAreText) {
  const std::string text = "So: <tool_call>\n{\"name\": \"f\"}\n</tool_call>";
  EXPECT_EQ(parse_qwen3(text, {.reads_calls = false}).content, text);
}

TEST(JsonCall, ReadsTheSameWhereverItIsCut) {
  const auto call = [](std::string_view text) { return read_json(text).calls.at(0); };
  EXPECT_EQ(call(R"({"name": "f", "arguments": {"a": -1.5e3, "b": "c\"\\\n\u00e9\ud83d\ude00\/"}} )"),
            (ParsedCall{"f", "{\"a\":-1.5e3,\"b\":\"c\\\"\\\\\\n\xC3\xA9\xF0\x9F\x98\x80/\"}", true}));
  EXPECT_EQ(call(R"({"id": "1", "arguments": {"a": {}}, "other": [{"name": 1}], "name": "f"})"),
            (ParsedCall{"f", R"({"a":{}})", true}));
  EXPECT_EQ(call(R"({"name":"f","parameters":{"a":null}}})"), (ParsedCall{"f", R"({"a":null})", true}));
  EXPECT_EQ(call(R"({"name":"f","arguments":null})"), (ParsedCall{"f", "{}", true}));
  EXPECT_EQ(call(R"({"name":"f","arguments":{"a":1})"), (ParsedCall{"f", R"({"a":1})", true}));
}

TEST(JsonCall, ForgivesWhatModelsWriteInStrings) {
  const auto value = [](std::string_view text) {
    const std::string arguments =
        read_json(R"({"name":"f","arguments":{"a":")" + std::string(text) + "\"}}").calls.at(0).arguments;
    return std::string(json::parse(arguments).at("a").as_string());
  };
  EXPECT_EQ(value("two\nlines"), "two\nlines");
  EXPECT_EQ(value(R"(\d+\s)"), R"(\d+\s)");
  EXPECT_EQ(value(R"(\ud83d!)"), "\xEF\xBF\xBD!");
  EXPECT_EQ(value(R"(\ude00\ud83d)"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(JsonCall, WhatIsNoCallStaysText) {
  for (const std::string_view text :
       {"hello", "[1]", "{}", "{\"name\": 1}", "{\"name\": \"\", \"arguments\": {}}", "{\"arguments\": {\"a\": 1}}",
        "{\"name\": \"f\", \"arguments\": [1]}", "{\"name\": \"f\", \"arguments\": \"x\"}", "{name: \"f\"}",
        "{\"name\": \"f\"", "{\"a\" 1}"}) {
    const ParsedAnswer answer = read_json(text);
    EXPECT_TRUE(answer.calls.empty()) << text;
    EXPECT_EQ(answer.content, text);
  }
}

TEST(JsonCall, ACallThatBreaksOffKeepsItsArgumentsAsJson) {
  const auto arguments = [](std::string_view text) {
    const ParsedCall call = read_json(R"({"name": "f", "arguments": )" + std::string(text)).calls.at(0);
    EXPECT_FALSE(call.is_complete) << text;
    return call.arguments;
  };
  EXPECT_EQ(arguments("{"), "{}");
  EXPECT_EQ(arguments(R"({"a": 1, "b)"), "{\"a\":1}");
  EXPECT_EQ(arguments(R"({"a": [1, 2)"), "{\"a\":[1]}");
  EXPECT_EQ(arguments(R"({"a": "x\)"), "{\"a\":\"x\"}");
  EXPECT_EQ(arguments(R"({"a": nope}} more)"), "{}");
  EXPECT_EQ(arguments(R"({"a": 1,}})"), "{\"a\":1}");
  EXPECT_EQ(arguments(R"({"a": "\uZZ"}})"), "{\"a\":\"\"}");
}

TEST(FunctionCall, ValuesAreWhatTheSchemaSays) {
  const auto value = [](std::string_view name, std::string_view text) {
    const ParsedCall call = read_tags("\n<function=save>\n<parameter=" + std::string(name) + ">\n" + std::string(text) +
                                      "\n</parameter>\n</function>\n")
                                .calls.at(0);
    EXPECT_EQ(call.name, "save");
    EXPECT_TRUE(call.is_complete);
    return json::parse(call.arguments).at(name);
  };
  EXPECT_EQ(value("text", "42"), "42");
  EXPECT_EQ(value("text", "  two\n\n</param> \"lines\"\n"), "  two\n\n</param> \"lines\"\n");
  EXPECT_EQ(value("n", "42"), 42);
  EXPECT_EQ(value("n", "many"), "many");
  EXPECT_EQ(value("on", "true"), true);
  EXPECT_EQ(value("on", "False"), false);
  EXPECT_EQ(value("list", "[1,\n \"a\"]"), json::parse("[1,\"a\"]"));
  EXPECT_EQ(value("list", "{\"a\":1}"), "{\"a\":1}");
  EXPECT_EQ(value("maybe", "null"), nullptr);
  EXPECT_EQ(value("maybe", "None"), nullptr);
  EXPECT_EQ(value("maybe", "12"), "12");
  EXPECT_EQ(value("maybe", "\"quoted\""), "\"quoted\"");
  EXPECT_EQ(value("either", "12"), 12);
  EXPECT_EQ(value("unknown", "{\"a\":[1.5]}"), json::parse("{\"a\":[1.5]}"));
  EXPECT_EQ(value("unknown", "words"), "words");
}

TEST(FunctionCall, ReadsTheSameWhereverItIsCut) {
  EXPECT_EQ(read_tags("<function=save><parameter=text>a</parameter><parameter=n>1</parameter></function>").calls.at(0),
            (ParsedCall{"save", R"({"text":"a","n":1})", true}));
  EXPECT_EQ(read_tags("\n<function=now>\n</function>\n").calls.at(0), (ParsedCall{"now", "{}", true}));
  EXPECT_EQ(read_tags("<function=save>\n<parameter=text>\n\n</parameter>\n</function>").calls.at(0),
            (ParsedCall{"save", R"({"text":""})", true}));
}

TEST(FunctionCall, ACallThatBreaksOffKeepsItsArgumentsAsJson) {
  const std::string head = "<function=save>\n<parameter=n>\n1\n</parameter>\n";
  const auto call = [&](std::string_view rest) { return read_tags(head + std::string(rest), Ending::cut).calls.at(0); };
  EXPECT_EQ(call(""), (ParsedCall{"save", R"({"n":1})", false}));
  EXPECT_EQ(call("<parameter=text>\nab\ncd\n</para"), (ParsedCall{"save", R"({"n":1,"text":"ab\ncd"})", false}));
  EXPECT_EQ(call("<parameter=list>\n[1"), (ParsedCall{"save", R"({"n":1})", false}));
  EXPECT_EQ(call("words</function>"), (ParsedCall{"save", R"({"n":1})", false}));
  EXPECT_EQ(read_tags(head).calls.at(0), (ParsedCall{"save", R"({"n":1})", true})) << "closed by its marker";
}

TEST(FunctionCall, WhatIsNoCallStaysText) {
  for (const std::string& text : {std::string("hello"), std::string("<function"), std::string("<function=>"),
                                  "<function=" + std::string(2000, 'x')}) {
    EXPECT_TRUE(read_tags(text).calls.empty());
    EXPECT_EQ(read_tags(text).content, text);
  }
}

TEST(QwenFormat, StringsComeWhileTheyAreWritten) {
  const auto parser = make_qwen35_parser(qwen_tokenizer(), {.tools = tools()});
  std::string told;
  const auto push = [&](std::string_view text) {
    for (const int32_t id : qwen_tokenizer().encode(text, false))
      for (const ChatDelta& delta : parser->push(id))
        told += delta.kind == ChatDelta::Kind::call_started ? delta.text + "(" : delta.text;
    return std::exchange(told, {});
  };
  EXPECT_EQ(push("<tool_call>\n<function=save"), "");
  EXPECT_EQ(push(">"), "save({");
  EXPECT_EQ(push("\n<parameter=text>"), R"("text":")");
  EXPECT_EQ(push("\nsome\n"), "some");
  EXPECT_EQ(push("</b"), R"(\n</b)");
  EXPECT_EQ(push("\n</parameter>\n<parameter=n>\n12"), "\"");
  EXPECT_EQ(push("3\n</parameter>"), R"(,"n":123)");
  EXPECT_EQ(push("\n</function>"), "}");
  EXPECT_EQ(push("\n</tool_call>"), "");
}

TEST(QwenFormat, CallsOfTagsAreRead) {
  const ParsedAnswer answer = parse_qwen35(
      "Well</think>\n\n<tool_call>\n<function=save>\n<parameter=text>\nx\n</parameter>\n</function>\n</tool_call>",
      {.in_thought = true});
  EXPECT_EQ(answer.reasoning, "Well");
  EXPECT_EQ(answer.content, "");
  EXPECT_EQ(answer.calls, (std::vector<ParsedCall>{{"save", R"({"text":"x"})", true}}));
}

}  // namespace
}  // namespace paro::text
