#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;
using boost::beast::http::field;

constexpr std::string_view kTools = R"("tools":[{"name":"add","input_schema":{"type":"object"}}])";
constexpr std::string_view kCall = "<|tool_call>call:add{a:1,b:<|\"|>two<|\"|>}<tool_call|>";

std::string messages_body(std::string_view members = "", std::string_view content = R"("Hi")") {
  return fmt::format(R"({{"max_tokens":100,"messages":[{{"role":"user","content":{}}}]{}{}}})", content,
                     members.empty() ? "" : ",", members);
}

std::string error_type_of(const HttpAnswer& answer) {
  const json::value body = answer.json();
  if (!body.as_object().contains("type")) return "none: " + answer.body;
  EXPECT_EQ(body.at("type"), "error");
  EXPECT_TRUE(body.at("request_id").as_string().starts_with("req_"));
  EXPECT_FALSE(body.at("error").at("message").as_string().empty());
  return std::string(body.at("error").at("type").as_string());
}

class Messages : public ServerTest {
 protected:
  HttpAnswer post(const std::string& body, const Headers& headers = {}) {
    return HttpClient(port()).post("/v1/messages", body, headers);
  }
  HttpAnswer ask(std::string_view members = "", std::string_view content = R"("Hi")") {
    return post(messages_body(members, content));
  }
  std::string prompt(size_t request = 0) {
    return demo_tokenizer().decode(engine.requests().at(request).prompt, false);
  }

  // Of a stream, whose event names must be those in its data.
  std::vector<json::object> events(const HttpAnswer& answer) {
    EXPECT_EQ(answer.status, 200u) << answer.body;
    std::vector<json::object> found;
    for (const NamedEvent& event : answer.named_events()) {
      found.push_back(json::parse(event.data).as_object());
      EXPECT_EQ(std::string(found.back().at("type").as_string()), event.name);
    }
    return found;
  }
};

// Names of events in short, with deltas of one kind as one.
std::string outline(const std::vector<json::object>& events) {
  std::string text;
  std::string last;
  for (const json::object& event : events) {
    std::string name(event.at("type").as_string());
    if (name == "content_block_start") name = "+" + std::string(event.at("content_block").at("type").as_string());
    if (name == "content_block_delta") name = std::string(event.at("delta").at("type").as_string());
    if (name == "content_block_stop") name = "-";
    if (name == last) continue;
    text += text.empty() ? name : " " + name;
    last = name;
  }
  return text;
}

std::string joined(const std::vector<json::object>& events, std::string_view member) {
  std::string text;
  for (const json::object& event : events)
    if (event.at("type") == "content_block_delta")
      if (const json::value* piece = event.at("delta").as_object().if_contains(member)) text += piece->as_string();
  return text;
}

TEST_F(Messages, WholeAnswerIsAMessage) {
  start();
  const HttpAnswer answer = ask();
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const json::value body = answer.json();
  EXPECT_TRUE(body.at("id").as_string().starts_with("msg_"));
  EXPECT_EQ(body.at("type"), "message");
  EXPECT_EQ(body.at("role"), "assistant");
  EXPECT_EQ(body.at("model"), "demo");
  EXPECT_EQ(body.at("content"), json::array({{{"type", "text"}, {"text", "Hello there."}}}));
  EXPECT_EQ(body.at("stop_reason"), "end_turn");
  EXPECT_TRUE(body.at("stop_sequence").is_null());
  EXPECT_EQ(body.at("usage").at("input_tokens"), static_cast<int64_t>(engine.requests().at(0).prompt.size()));
  EXPECT_EQ(body.at("usage").at("output_tokens"), static_cast<int64_t>(tokens_of("Hello there.").size()) + 1);
  EXPECT_EQ(body.at("usage").at("cache_read_input_tokens"), 0);
}

TEST_F(Messages, PromptIsThatOfTheSameChat) {
  start();
  chat();
  ask();
  EXPECT_EQ(engine.requests().at(0).prompt, engine.requests().at(1).prompt);
}

TEST_F(Messages, StreamGoesFromMessageStartOverBlocksToMessageStop) {
  answer_with("<|channel>thought\nThis is simple.\n<channel|>It is 4." + std::string(kCall) +
              "<|tool_call>call:now{}<tool_call|>");
  start();
  const auto found = events(ask(fmt::format(R"("stream":true,{})", kTools)));
  EXPECT_EQ(outline(found),
            "message_start +thinking thinking_delta signature_delta - +text text_delta - +tool_use input_json_delta - "
            "+tool_use input_json_delta - message_delta message_stop");
  EXPECT_EQ(joined(found, "thinking"), "This is simple.");
  EXPECT_EQ(joined(found, "text"), "It is 4.");
  EXPECT_EQ(joined(found, "partial_json"), R"({"a":1,"b":"two"}{})");

  const json::object& message = found.front().at("message").as_object();
  EXPECT_TRUE(message.at("content").as_array().empty());
  EXPECT_TRUE(message.at("stop_reason").is_null());
  EXPECT_EQ(message.at("usage").at("input_tokens"), static_cast<int64_t>(engine.requests().at(0).prompt.size()));
  const json::object& end = found[found.size() - 2];
  EXPECT_EQ(end.at("delta"), (json::object{{"stop_reason", "tool_use"}, {"stop_sequence", nullptr}}));
  EXPECT_GT(end.at("usage").at("output_tokens").as_int64(), 10);

  int64_t index = -1;
  for (const json::object& event : found) {
    if (event.at("type") == "content_block_start") ++index;
    if (const json::value* at = event.if_contains("index")) {
      EXPECT_EQ(*at, index) << event;
    }
  }
  EXPECT_EQ(index, 3);
}

TEST_F(Messages, WholeAnswerHasTheBlocksOfTheStream) {
  answer_with("<|channel>thought\nThis is simple.\n<channel|>It is 4." + std::string(kCall));
  start();
  const json::value body = ask(kTools).json();
  const json::array& content = body.at("content").as_array();
  ASSERT_EQ(content.size(), 3u) << content;
  EXPECT_EQ(content[0].at("type"), "thinking");
  EXPECT_EQ(content[0].at("thinking"), "This is simple.");
  EXPECT_FALSE(content[0].at("signature").as_string().empty());
  EXPECT_EQ(content[1], (json::object{{"type", "text"}, {"text", "It is 4."}}));
  EXPECT_EQ(content[2].at("type"), "tool_use");
  EXPECT_TRUE(content[2].at("id").as_string().starts_with("toolu_"));
  EXPECT_EQ(content[2].at("name"), "add");
  EXPECT_EQ(content[2].at("input"), (json::object{{"a", 1}, {"b", "two"}}));
  EXPECT_EQ(body.at("stop_reason"), "tool_use");
}

TEST_F(Messages, ThoughtsThatAreNotToBeShownLeaveTheirBlock) {
  answer_with("<|channel>thought\nThis is simple.\n<channel|>It is 4.");
  start();
  constexpr std::string_view kThinking = R"("thinking":{"type":"adaptive","display":"omitted"})";
  const json::value body = ask(kThinking).json();
  EXPECT_EQ(body.at("content").at(0).at("type"), "thinking");
  EXPECT_EQ(body.at("content").at(0).at("thinking"), "");
  const auto found = events(ask(fmt::format(R"("stream":true,{})", kThinking)));
  EXPECT_EQ(outline(found), "message_start +thinking signature_delta - +text text_delta - message_delta message_stop");
}

TEST_F(Messages, StopReasonsTellWhatEndedTheAnswer) {
  engine.script = [](const GenerationRequest&) { return Script{.tokens = tokens_of("1, 2, 3, 4, "), .endless = true}; };
  engine.model_info.max_context = 64;
  start();
  const auto reason = [&](std::string_view members) {
    const json::value whole = ask(members).json();
    const auto streamed = events(ask(fmt::format(R"({},"stream":true)", members)));
    EXPECT_EQ(streamed[streamed.size() - 2].at("delta").at("stop_reason"), whole.at("stop_reason"));
    EXPECT_EQ(streamed[streamed.size() - 2].at("delta").at("stop_sequence"), whole.at("stop_sequence"));
    const std::string sequence = json::serialize(whole.at("stop_sequence"));
    return std::string(whole.at("stop_reason").as_string()) + " " + sequence;
  };
  EXPECT_EQ(reason(R"("stop_sequences":["zz","2, 3"])"), R"(stop_sequence "2, 3")");
  EXPECT_EQ(reason(R"("max_tokens":5)"), "max_tokens null");
  EXPECT_EQ(reason(R"("max_tokens":5000)"), "model_context_window_exceeded null");
}

TEST_F(Messages, BlocksBecomeTheMessagesOfTheTemplate) {
  start();
  constexpr std::string_view kBody = R"({"max_tokens":10,
    "system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}},{"type":"text","text":"Be kind."}],
    "tools":[{"type":"custom","name":"add","description":"Adds","input_schema":
      {"type":"object","properties":{"a":{"type":"integer","description":"first"}},"required":["a"]}}],
    "messages":[
      {"role":"user","content":[{"type":"text","text":"One."},{"type":"text","text":"Two."}]},
      {"role":"assistant","content":[{"type":"redacted_thinking","data":"x"},
        {"type":"thinking","thinking":"I should add.","signature":"s"},
        {"type":"tool_use","id":"t1","name":"add","input":{"a":1}}, {"type":"tool_use","id":"t2","name":"add","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"3"},
        {"type":"tool_result","tool_use_id":"t2","is_error":true,"content":[{"type":"text","text":"no a"}]},
        {"type":"text","text":"Go on."}]}],
    "metadata":{"user_id":"me"},"service_tier":"auto"})";
  const HttpAnswer answer = post(std::string(kBody), {{"anthropic-version", "2023-06-01"}, {"anthropic-beta", "x"}});
  ASSERT_EQ(answer.status, 200u) << answer.body;

  const HttpAnswer same = HttpClient(port()).post("/v1/chat/completions", R"({"messages":[
    {"role":"system","content":"Be brief.\nBe kind."},
    {"role":"user","content":"One.\nTwo."},
    {"role":"assistant","content":"","reasoning_content":"I should add.","tool_calls":[
      {"id":"t1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}},
      {"id":"t2","type":"function","function":{"name":"add","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"t1","content":"3"},
    {"role":"tool","tool_call_id":"t2","content":"Error: no a"},
    {"role":"user","content":"Go on."}],
    "tools":[{"type":"function","function":{"name":"add","description":"Adds","parameters":
      {"type":"object","properties":{"a":{"type":"integer","description":"first"}},"required":["a"]}}}]})");
  ASSERT_EQ(same.status, 200u) << same.body;
  EXPECT_EQ(prompt(0), prompt(1));
  EXPECT_NE(prompt(0).find("Error: no a"), std::string::npos) << prompt(0);
}

TEST_F(Messages, TurnsOfTheAssistantInARowAreOneWhichTheAnswerGoesOnWith) {
  start();
  ask("", R"([{"type":"text","text":"Count."}])");
  const HttpAnswer answer = post(R"({"max_tokens":10,"messages":[{"role":"user","content":"Count."},
    {"role":"assistant","content":"One,"},{"role":"assistant","content":[{"type":"text","text":"two,"}]}]})");
  ASSERT_EQ(answer.status, 200u) << answer.body;
  EXPECT_EQ(prompt(1), prompt(0) + "One,\ntwo,");
}

TEST_F(Messages, ThinkingIsAskedForByItsType) {
  start();
  ask(R"("thinking":{"type":"enabled","budget_tokens":1024})");
  ask(R"("thinking":{"type":"adaptive"})");
  ask(R"("thinking":{"type":"disabled"})");
  ask();
  EXPECT_NE(prompt(0).find("<|think|>"), std::string::npos);
  EXPECT_NE(prompt(1).find("<|think|>"), std::string::npos);
  EXPECT_EQ(prompt(2).find("<|think|>"), std::string::npos);
  EXPECT_EQ(prompt(2), prompt(3));
}

TEST_F(Messages, OptionsReachTheEngine) {
  start();
  ask(R"("temperature":0.5,"top_p":0.25,"top_k":7,"max_tokens":33)");
  const GenerationRequest request = engine.requests().at(0);
  EXPECT_EQ(request.sampling.temperature, 0.5f);
  EXPECT_EQ(request.sampling.top_p, 0.25f);
  EXPECT_EQ(request.sampling.top_k, 7);
  EXPECT_EQ(request.max_tokens, 33);
}

TEST_F(Messages, MoreTokensThanTheContextLeavesAreClipped) {
  start();
  EXPECT_EQ(ask(R"("max_tokens":32000)").status, 200u);
  const GenerationRequest request = engine.requests().at(0);
  EXPECT_EQ(request.max_tokens, 512 - static_cast<int>(request.prompt.size()));
}

TEST_F(Messages, ToolChoiceNoneHidesTheTools) {
  answer_with("call:add{a:1}");
  start();
  ask(fmt::format(R"({},"tool_choice":{{"type":"none"}})", kTools));
  ask(fmt::format(R"({},"tool_choice":{{"type":"auto","disable_parallel_tool_use":false}})", kTools));
  EXPECT_EQ(prompt(0).find("declaration:add"), std::string::npos);
  EXPECT_NE(prompt(1).find("declaration:add"), std::string::npos);
}

TEST_F(Messages, CallsFormatsAndBudgetsThatAreAskedForHoldTheAnswer) {
  start();
  const auto is_held = [&](std::string_view members) {
    EXPECT_EQ(ask(members).status, 200u) << members;
    return engine.requests().back().constraint != nullptr;
  };
  const auto with_tools = [&](std::string_view members) { return fmt::format("{},{}", kTools, members); };
  EXPECT_FALSE(is_held(R"("thinking":{"type":"adaptive"})"));
  EXPECT_TRUE(is_held(with_tools(R"("tool_choice":{"type":"any"})")));
  EXPECT_TRUE(is_held(with_tools(R"("tool_choice":{"type":"tool","name":"add","disable_parallel_tool_use":true})")));
  EXPECT_TRUE(is_held(R"("output_config":{"format":{"type":"json_schema","schema":{"type":"integer"}}})"));
  EXPECT_TRUE(is_held(R"("thinking":{"type":"enabled","budget_tokens":20})"));
}

TEST_F(Messages, CharactersAreNeverCutBetweenTokens) {
  const std::string text = "caf\xC3\xA9 \xF0\x9F\xA6\x86\xF0\x9F\x8E\x89!";
  answer_with(text);
  start();
  const HttpAnswer answer = ask(R"("stream":true)");
  EXPECT_EQ(joined(events(answer), "text"), text);
  EXPECT_EQ(answer.body.find("\xEF\xBF\xBD"), std::string::npos);
}

TEST_F(Messages, SlowPrefillIsCoveredByPings) {
  options.ping_interval = std::chrono::milliseconds(20);
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = tokens_of("late"), .prefill = std::chrono::milliseconds(150)};
  };
  start();
  const auto found = events(ask(R"("stream":true)"));
  EXPECT_EQ(outline(found).substr(0, 25), "message_start ping +text ") << outline(found);
}

TEST_F(Messages, CountTokensGivesTheTokensOfThePrompt) {
  start();
  const std::string members = fmt::format(R"({},"system":"Be brief.")", kTools);
  const HttpAnswer count = HttpClient(port()).post(
      "/v1/messages/count_tokens", fmt::format(R"({{"messages":[{{"role":"user","content":"Hi"}}],{}}})", members));
  ASSERT_EQ(count.status, 200u) << count.body;
  EXPECT_EQ(count.json().as_object().size(), 1u);
  EXPECT_EQ(count.json().at("input_tokens"), ask(members).json().at("usage").at("input_tokens"));
}

TEST_F(Messages, ModelsAreListedForClientsThatNameAVersion) {
  start();
  HttpClient client(port());
  const Headers version{{"anthropic-version", "2023-06-01"}};
  const json::value list = client.get("/v1/models", version).json();
  EXPECT_EQ(list.at("has_more"), false);
  EXPECT_EQ(list.at("first_id"), "demo");
  const json::value& model = list.at("data").at(0);
  EXPECT_EQ(model.at("type"), "model");
  EXPECT_EQ(model.at("id"), "demo");
  EXPECT_EQ(model.at("max_input_tokens"), 512);
  const std::string created(model.at("created_at").as_string());
  EXPECT_EQ(created.size(), std::string_view("2026-01-01T00:00:00Z").size()) << created;
  EXPECT_EQ(client.get("/v1/models/demo", version).json(), model);
  EXPECT_EQ(error_type_of(client.get("/v1/models/other", version)), "not_found_error");
}

TEST_F(Messages, WrongFieldsAreNamed) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("max_tokens":null)", "max_tokens is missing"},
      {R"("max_tokens":0)", "max_tokens is 0"},
      {R"("temperature":"hot")", "temperature must be a number"},
      {R"("stop_sequences":[""])", "stop_sequences must have"},
      {R"("system":7)", "system must be"},
      {R"("system":[{"type":"image"}])", "system[0].type is 'image'"},
      {R"("thinking":{"type":"deep"})", "thinking.type is 'deep'"},
      {R"("thinking":{"type":"enabled","budget_tokens":0})", "thinking.budget_tokens is 0"},
      {R"("tools":[{"name":"f"}])", "tools[0].input_schema is missing"},
      {R"("tools":[{"type":"web_search_20250305","name":"f"}])", "tools[0].type is 'web_search_20250305'"},
      {R"("tool_choice":{"type":"maybe"})", "tool_choice.type is 'maybe'"},
      {R"("tool_choice":{"type":"tool"})", "tool_choice.name is missing"},
      {R"("tool_choice":"auto")", "tool_choice must be"},
      {R"("output_config":{"format":{"type":"xml"}})", "output_config.format.type is 'xml'"},
      {R"("messages":[])", "messages must have"},
      {R"("messages":[7])", "messages[0] must be"},
      {R"("messages":[{"role":"tool","content":"a"}])", "messages[0].role is 'tool'"},
      {R"("messages":[{"role":"user"}])", "messages[0].content is missing"},
      {R"("messages":[{"role":"user","content":[{"type":"image","source":{}}]}])",
       "messages[0].content[0].type is 'image'"},
      {R"("messages":[{"role":"user","content":[{"type":"tool_result","content":"a"}]}])",
       "messages[0].content[0].tool_use_id is missing"},
      {R"("messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"image"}]}]}])",
       "messages[0].content[0].content[0].type is 'image'"},
      {R"("messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f"}]}])",
       "messages[0].content[0].input must be an object"},
  };
  HttpClient client(port());
  for (const auto& [members, text] : cases) {
    const HttpAnswer answer = client.post("/v1/messages", messages_body(members));
    EXPECT_EQ(answer.status, 400u) << members;
    EXPECT_EQ(error_type_of(answer), "invalid_request_error");
    EXPECT_NE(answer.body.find(text), std::string::npos) << answer.body;
  }
  EXPECT_TRUE(engine.requests().empty());
}

TEST_F(Messages, ErrorsHaveAnthropicsTypes) {
  options.api_keys = {"secret"};
  options.max_body_bytes = 10000;
  engine.capacity = 0;
  start();
  const Headers key{{"x-api-key", "secret"}};
  EXPECT_EQ(error_type_of(post("{", key)), "invalid_request_error");
  EXPECT_EQ(error_type_of(post(messages_body())), "authentication_error");
  EXPECT_EQ(error_type_of(post(messages_body(R"("model":"other")"), key)), "not_found_error");
  const HttpAnswer large = post(messages_body() + std::string(20000, ' '), key);
  EXPECT_EQ(large.status, 413u);
  EXPECT_EQ(error_type_of(large), "request_too_large");
  const HttpAnswer full = post(messages_body(), key);
  EXPECT_EQ(full.status, 529u);
  EXPECT_EQ(full.fields[field::retry_after], "1");
  EXPECT_EQ(error_type_of(full), "overloaded_error");
  EXPECT_EQ(error_type_of(HttpClient(port()).get("/v1/messages", key)), "invalid_request_error");
  EXPECT_EQ(error_type_of(HttpClient(port()).post("/v1/messages/batches", "{}",
                                                  {{"x-api-key", "secret"}, {"anthropic-version", "2023-06-01"}})),
            "not_found_error");
  EXPECT_TRUE(chat().json().at("error").as_object().contains("code"));  // elsewhere they are OpenAI's
}

TEST_F(Messages, PromptsBeyondTheContextAreToldInTheWordsThatClientsLookFor) {
  start();
  std::string words;
  for (int i = 0; i < 600; ++i) words += "word ";
  const HttpAnswer answer = ask("", '"' + words + '"');
  EXPECT_EQ(answer.status, 400u);
  EXPECT_EQ(error_type_of(answer), "invalid_request_error");
  EXPECT_NE(answer.body.find("prompt is too long: "), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find(" tokens > 512 maximum"), std::string::npos) << answer.body;
}

TEST_F(Messages, ErrorsAfterTheStreamBeganAreEvents) {
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = tokens_of("Hello"), .error = Error(ErrorKind::internal, "engine: broke")};
  };
  start();
  const auto found = events(ask(R"("stream":true)"));
  EXPECT_EQ(outline(found), "message_start +text text_delta error");
  EXPECT_EQ(found.back().at("error").at("type"), "api_error");
  EXPECT_EQ(found.back().at("error").at("message"), "engine: broke");
  EXPECT_EQ(error_type_of(ask()), "api_error");
}

}  // namespace
}  // namespace paro
