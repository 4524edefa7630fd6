#include "text/chat_format.h"

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "tests/text/parsed_answer.h"
#include "text/chat_format_messages.h"
#include "text/gemma4_call.h"
#include "text/gemma4_format.h"

namespace paro::text {
namespace {

namespace json = boost::json;

std::string read_file(const std::string& name) {
  std::ifstream file(PARO_SOURCE_DIR "/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

const Tokenizer& demo_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::from_json(read_file("models/demo/tokenizer.json"));
  return tokenizer;
}

ParsedAnswer parse(std::string_view text, const ParserOptions& options = {}) {
  return parse(*make_gemma4_parser(demo_tokenizer(), options), demo_tokenizer().encode(text, false));
}

ParsedAnswer read(std::string_view text) {
  return read_call([] { return std::make_unique<Gemma4CallReader>(); }, text);
}

TEST(ChatFormat, IsChosenByTheTokenizersMarkers) {
  EXPECT_EQ(chat_format_for(demo_tokenizer()).name, "gemma4");
  const Tokenizer other = Tokenizer::from_json(
      R"({"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]},"added_tokens":[],"normalizer":null,
          "pre_tokenizer":null,"post_processor":null,"decoder":null})");
  EXPECT_EQ(chat_format_for(other).name, "plain");
}

TEST(ChatFormat, PlainIsAllContent) {
  const auto parser = make_plain_parser(demo_tokenizer());
  const ParsedAnswer message = parse(*parser, demo_tokenizer().encode("Hi <|turn>there<turn|>", false));
  EXPECT_EQ(message.content, "Hi there");  // special tokens are left out
}

TEST(Gemma4Format, DemoTranscriptsAreReadAsExpected) {
  const json::value transcripts = json::parse(read_file("tests/goldens/demo_transcripts.json"));
  size_t n_calls = 0, n_thoughts = 0;
  for (const json::value& transcript : transcripts.as_array()) {
    std::vector<int32_t> ids;
    for (const json::value& id : transcript.at("completion_ids").as_array())
      ids.push_back(static_cast<int32_t>(id.as_int64()));
    const ParsedAnswer message = parse(*make_gemma4_parser(demo_tokenizer(), {}), ids);
    const json::value* expected = transcript.as_object().if_contains("expected");
    if (expected == nullptr) continue;
    if (const json::value* reasoning = expected->as_object().if_contains("reasoning_content")) {
      EXPECT_EQ(message.reasoning, reasoning->as_string());
      ++n_thoughts;
    }
    const json::value* calls = expected->as_object().if_contains("tool_calls");
    ASSERT_EQ(message.calls.size(), calls ? calls->as_array().size() : 0);
    for (size_t i = 0; i < message.calls.size(); ++i) {
      const json::value& function = calls->at(i).at("function");
      EXPECT_EQ(message.calls[i].name, function.at("name").as_string());
      EXPECT_EQ(json::parse(message.calls[i].arguments), function.at("arguments"));
      ++n_calls;
    }
    // The model need not have learnt the expected words; what it said is the content, without markers.
    std::string completion(transcript.at("completion").as_string());
    if (completion.ends_with("<turn|>")) completion.resize(completion.size() - 7);
    if (message.calls.empty()) {
      EXPECT_TRUE(completion.ends_with(message.content)) << message.content;
    } else {
      EXPECT_EQ(message.content, "");
    }
  }
  EXPECT_GE(n_calls, 1u);
  EXPECT_GE(n_thoughts, 2u);
}

TEST(Gemma4Format, ThoughtLosesHeaderAndLastNewlineOnly) {
  EXPECT_EQ(parse("<|channel>thought\na\n\nb\n\n<channel|>c").reasoning, "a\n\nb\n");
  EXPECT_EQ(parse("<|channel>thought\na\n\nb\n\n<channel|>c").content, "c");
  EXPECT_EQ(parse("<|channel>thought\n<channel|>c").reasoning, "");
  EXPECT_EQ(parse("<|channel>thought<channel|>c").reasoning, "");
  EXPECT_EQ(parse("<|channel>other\nx<channel|>").reasoning, "other\nx");
}

TEST(Gemma4Format, UnfinishedThoughtStaysReasoning) {
  const ParsedAnswer message = parse("<|channel>thought\nHmm, so\n");
  EXPECT_EQ(message.reasoning, "Hmm, so\n");
  EXPECT_EQ(message.content, "");
}

TEST(Gemma4Format, StrayMarkersDoNotShow) {
  EXPECT_EQ(parse("a<channel|>b<tool_call|>c<|tool_response>d<|\"|>").content, "abcd");
}

TEST(Gemma4Format, CallInsideAThoughtEndsIt) {
  const ParsedAnswer message = parse("<|channel>thought\nuse it<|tool_call>call:f{}<tool_call|>done");
  EXPECT_EQ(message.reasoning, "use it");
  ASSERT_EQ(message.calls.size(), 1u);
  EXPECT_EQ(message.content, "done");
}

TEST(Gemma4Format, EveryValueBecomesItsJson) {
  const ParsedAnswer message = parse(
      "<|tool_call>call:my_tool{s:<|\"|>a, \"b\": {c}\\<|\"|>,n:-1.50e3,i:42,t:true,f:false,z:null,w:two words,"
      "v:01,l:[1,<|\"|>x<|\"|>,[]],o:{k:{},<|\"|>a b<|\"|>:2},e:<|\"|><|\"|>}<tool_call|>");
  ASSERT_EQ(message.calls.size(), 1u);
  EXPECT_EQ(message.calls[0].name, "my_tool");
  EXPECT_EQ(message.calls[0].arguments,
            R"({"s":"a, \"b\": {c}\\","n":-1.50e3,"i":42,"t":true,"f":false,"z":null,"w":"two words",)"
            R"("v":"01","l":[1,"x",[]],"o":{"k":{},"a b":2},"e":""})");
  EXPECT_NO_THROW(json::parse(message.calls[0].arguments));
  EXPECT_EQ(message.content, "");
}

TEST(Gemma4Format, WhatIsNoCallComesOutAsContentWithoutMarkers) {
  for (const std::string call : {"call:{a:1}", "f{a:1}", "call:f", "call:f<|\"|>{a:1}", "call f{}", "call:a:b{}", ""}) {
    std::string plain = call;
    if (const size_t quote = plain.find("<|\"|>"); quote != std::string::npos) plain.erase(quote, 5);
    for (const std::string_view end : {"<tool_call|>", ""}) {
      const ParsedAnswer message = parse("Now: <|tool_call>" + call + std::string(end));
      EXPECT_TRUE(message.calls.empty()) << call;
      EXPECT_EQ(message.content, "Now: " + plain);
    }
  }
}

TEST(Gemma4Format, CallsThatBreakOffKeepTheirArgumentsAsJson) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"call:f{a:1", "{}"},
      {"call:f{a:1,b:<|\"|>two", R"({"a":1,"b":"two"})"},
      {"call:f{a:1,b:[2,{c:<|\"|>d<|\"|>", R"({"a":1,"b":[2,{"c":"d"}]})"},
      {"call:f{a:1,b:}", R"({"a":1})"},
      {"call:f{a:1,b", R"({"a":1})"},
      {"call:f{a:<|\"|>x}", R"({"a":"x}"})"},
      {"call:f{a:1]} more", "{\"a\":1}"},
  };
  for (const auto& [call, arguments] : cases) {
    for (const std::string_view end : {"<tool_call|>after", ""}) {
      const ParsedAnswer message = parse("Now: <|tool_call>" + call + std::string(end));
      ASSERT_EQ(message.calls.size(), 1u) << call;
      EXPECT_EQ(message.calls[0].name, "f");
      EXPECT_EQ(message.calls[0].arguments, arguments) << call;
      EXPECT_FALSE(message.calls[0].is_complete);
      EXPECT_EQ(message.content, end.empty() ? "Now: " : "Now: after");
    }
  }
}

TEST(Gemma4Format, WhatFollowsACallBeforeItsMarkerIsDropped) {
  const ParsedAnswer message = parse("<|tool_call>call:f{a:1}} and<tool_call|>so");
  ASSERT_EQ(message.calls.size(), 1u);
  EXPECT_EQ(message.calls[0].arguments, R"({"a":1})");
  EXPECT_TRUE(message.calls[0].is_complete);
  EXPECT_EQ(message.content, "so");
}

TEST(Gemma4Format, ArgumentsComeWhileTheyAreWritten) {
  const auto parser = make_gemma4_parser(demo_tokenizer(), {});
  std::string told;
  const auto push = [&](std::string_view text) {
    for (const int32_t id : demo_tokenizer().encode(text, false))
      for (const ChatDelta& delta : parser->push(id))
        told += delta.kind == ChatDelta::Kind::call_started ? delta.text + "(" : delta.text;
    return std::exchange(told, {});
  };
  EXPECT_EQ(push("<|tool_call>call:find"), "");
  EXPECT_EQ(push("{"), "find({");
  EXPECT_EQ(push("text:"), "");
  EXPECT_EQ(push("<|\"|>"), R"("text":")");
  EXPECT_EQ(push("some words"), "some words");
  EXPECT_EQ(push("<|\"|>,n:1"), "\"");
  EXPECT_EQ(push("2"), "");
  EXPECT_EQ(push(",l:[true"), R"(,"n":12,"l":[)");
  EXPECT_EQ(push("]}"), "true]}");
}

TEST(Gemma4Format, CallsReadTheSameWhereverTheyAreCut) {
  EXPECT_EQ(read("call:f{a:\xffx, y\xff,b:{c:[1,two words,\xff\xff]}, \xff"
                 "d e\xff : null}")
                .calls.at(0)
                .arguments,
            R"({"a":"x, y","b":{"c":[1,"two words",""]},"d e":null})");
  EXPECT_EQ(read(" call: f {}").calls.at(0).name, "f");
  EXPECT_TRUE(read("cal:f{}").calls.empty());
}

TEST(Gemma4Format, PromptsThatEndInAThoughtAreSeen) {
  const auto thought_at_end = [](std::string_view prompt) {
    return chat_format_for(demo_tokenizer()).thought_at_end(demo_tokenizer(), demo_tokenizer().encode(prompt, false));
  };
  EXPECT_EQ(thought_at_end("<|turn>model\n<|channel>thought\n"), ThoughtState::open);
  EXPECT_EQ(thought_at_end("<|turn>model\n<|channel>thought\n<channel|>"), ThoughtState::closed);
  EXPECT_EQ(thought_at_end("<|turn>model\n"), ThoughtState::possible);
  EXPECT_EQ(thought_at_end("<|turn>user\n<|channel>x<turn|>\n<|turn>model\n"), ThoughtState::possible);
  EXPECT_EQ(thought_at_end(""), ThoughtState::possible);
  const ParsedAnswer message = parse("Hmm\n<channel|>So", {.in_thought = true});
  EXPECT_EQ(message.reasoning, "Hmm");
  EXPECT_EQ(message.content, "So");
}

TEST(Gemma4Format, CompleteCallsNeedNoClosingMarker) {
  const ParsedAnswer message = parse("<|tool_call>call:f{a:<|\"|>x<|\"|>}<|tool_call>call:g{}<|tool_response>");
  ASSERT_EQ(message.calls.size(), 2u);
  EXPECT_EQ(message.calls[0].arguments, R"({"a":"x"})");
  EXPECT_EQ(message.content, "");
  EXPECT_EQ(parse("<|tool_call>call:f{b:2}").calls.size(), 1u);
}

TEST(Gemma4Format, CallsOfAModelWithoutToolsAreText) {
  const auto parser = make_gemma4_parser(demo_tokenizer(), {.reads_calls = false});
  const ParsedAnswer message =
      parse(*parser, demo_tokenizer().encode("So: <|tool_call>call:f{a:<|\"|>x<|\"|>}<tool_call|>.", false));
  EXPECT_TRUE(message.calls.empty());
  EXPECT_EQ(message.content, "So: call:f{a:x}.");
}

TEST(Gemma4Format, NestingHasALimit) {
  const auto nested = [](size_t depth) {
    return parse("<|tool_call>call:f{a:" + std::string(depth, '[') + std::string(depth, ']') + "}").calls.at(0);
  };
  EXPECT_TRUE(nested(30).is_complete);
  EXPECT_FALSE(nested(1000).is_complete);
}

TEST(Gemma4Format, MarkersSpelledAsTextAreText) {
  std::vector<int32_t> ids;
  for (const char c : std::string_view("<|tool_call>call:f{}<tool_call|>")) {
    const std::vector<int32_t> letter = demo_tokenizer().encode(std::string_view(&c, 1), false);
    ids.insert(ids.end(), letter.begin(), letter.end());
  }
  const ParsedAnswer message = parse(*make_gemma4_parser(demo_tokenizer(), {}), ids);
  EXPECT_TRUE(message.calls.empty());
  EXPECT_EQ(message.content, "<|tool_call>call:f{}<tool_call|>");
}

json::object prepared(std::string_view message, const MessageRules& rules) {
  json::array messages;
  messages.push_back(json::parse(message));
  return prepare_messages(messages, rules).at(0).as_object();
}

TEST(ChatMessages, ArgumentsBecomeObjectsWhereTheyAreSome) {
  const auto arguments = [](std::string_view text) {
    json::object call{{"function", {{"name", "f"}, {"arguments", text}}}};
    json::object message{{"role", "assistant"}, {"content", nullptr}, {"tool_calls", json::array{call}}};
    return prepared(json::serialize(message), {}).at("tool_calls").at(0).at("function").at("arguments");
  };
  EXPECT_EQ(arguments(R"({"a":1})"), json::parse(R"({"a":1})"));
  EXPECT_EQ(arguments("{a"), "{a");
  EXPECT_EQ(arguments("7"), "7");
}

TEST(ChatMessages, ToolResultsBecomeObjectsWhereTheFormatWantsThem) {
  const std::string message = R"({"role":"tool","content":"{\"t\":21}"})";
  EXPECT_EQ(prepared(message, {.tool_results_as_objects = true}).at("content"), json::parse(R"({"t":21})"));
  EXPECT_EQ(prepared(message, {}).at("content"), R"({"t":21})");
  EXPECT_EQ(prepared(R"({"role":"user","content":"{}"})", {.tool_results_as_objects = true}).at("content"), "{}");
}

TEST(ChatMessages, PartsAreJoinedForTemplatesThatReadStrings) {
  const std::string message = R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})";
  EXPECT_EQ(prepared(message, {}).at("content"), "ab");
  EXPECT_EQ(prepared(message, {.keeps_parts = true}).at("content").as_array().size(), 2u);
}

TEST(ChatMessages, DeveloperIsSystemAndReasoningHasItsLongName) {
  EXPECT_EQ(prepared(R"({"role":"developer","content":"a"})", {}).at("role"), "system");
  EXPECT_EQ(prepared(R"({"role":"assistant","content":"a","reasoning":"r"})", {}).at("reasoning_content"), "r");
}

}  // namespace
}  // namespace paro::text
