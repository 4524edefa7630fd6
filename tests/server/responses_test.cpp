#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;

constexpr std::string_view kTools = R"("tools":[{"type":"function","name":"add","parameters":{"type":"object"}}])";
constexpr std::string_view kCall = "<|tool_call>call:add{a:1,b:<|\"|>two<|\"|>}<tool_call|>";
constexpr std::string_view kThought = "<|channel>thought\nThis is simple.\n<channel|>";

class Responses : public ServerTest {
 protected:
  HttpAnswer post(const std::string& body) { return HttpClient(port()).post("/v1/responses", body); }
  HttpAnswer ask(std::string_view members = "", std::string_view input = R"("Hi")") {
    return post(fmt::format(R"({{"input":{}{}{}}})", input, members.empty() ? "" : ",", members));
  }
  std::string prompt(size_t request = 0) {
    return demo_tokenizer().decode(engine.requests().at(request).prompt, false);
  }

  // Of a stream, whose events are numbered and named as their data says.
  std::vector<json::object> events(const HttpAnswer& answer) {
    EXPECT_EQ(answer.status, 200u) << answer.body;
    std::vector<json::object> found;
    for (const NamedEvent& event : answer.named_events()) {
      found.push_back(json::parse(event.data).as_object());
      EXPECT_EQ(std::string(found.back().at("type").as_string()), event.name);
      EXPECT_EQ(found.back().at("sequence_number"), static_cast<int64_t>(found.size()) - 1);
    }
    return found;
  }
};

// Names of the events without "response.", with deltas of one kind as one.
std::string outline(const std::vector<json::object>& events) {
  std::string text, last;
  for (const json::object& event : events) {
    const std::string name = std::string(event.at("type").as_string()).substr(std::string_view("response.").size());
    if (name != last) text += text.empty() ? name : " " + name;
    last = name;
  }
  return text;
}

std::string joined(const std::vector<json::object>& events, std::string_view type) {
  std::string text;
  for (const json::object& event : events)
    if (event.at("type") == json::string_view(type.data(), type.size())) text += event.at("delta").as_string();
  return text;
}

// Without what differs from run to run.
json::object lasting(json::object response) {
  for (const std::string_view name : {"id", "created_at", "completed_at"}) response.erase(name);
  for (json::value& item : response["output"].as_array()) {
    item.as_object().erase("id");
    item.as_object().erase("call_id");
  }
  return response;
}

TEST_F(Responses, WholeAnswerIsAResponse) {
  start();
  const HttpAnswer answer = ask(R"("metadata":{"a":"b"},"temperature":0.5,"instructions":"Be brief.")");
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const json::value body = answer.json();
  EXPECT_TRUE(body.at("id").as_string().starts_with("resp_"));
  EXPECT_EQ(body.at("object"), "response");
  EXPECT_TRUE(body.at("created_at").is_int64());
  EXPECT_TRUE(body.at("completed_at").is_int64());
  EXPECT_EQ(body.at("status"), "completed");
  EXPECT_EQ(body.at("model"), "demo");
  EXPECT_TRUE(body.at("error").is_null());
  EXPECT_TRUE(body.at("incomplete_details").is_null());
  EXPECT_EQ(body.at("store"), false);
  EXPECT_EQ(body.at("metadata"), (json::object{{"a", "b"}}));
  EXPECT_EQ(body.at("temperature"), 0.5);
  EXPECT_EQ(body.at("instructions"), "Be brief.");
  EXPECT_EQ(body.at("tools"), json::array());
  EXPECT_EQ(body.at("tool_choice"), "auto");
  EXPECT_EQ(body.at("parallel_tool_calls"), true);
  EXPECT_EQ(body.at("text").at("format").at("type"), "text");

  ASSERT_EQ(body.at("output").as_array().size(), 1u);
  const json::value& item = body.at("output").at(0);
  EXPECT_TRUE(item.at("id").as_string().starts_with("msg_"));
  EXPECT_EQ(item.at("type"), "message");
  EXPECT_EQ(item.at("role"), "assistant");
  EXPECT_EQ(item.at("status"), "completed");
  EXPECT_EQ(item.at("content").at(0).at("type"), "output_text");
  EXPECT_EQ(item.at("content").at(0).at("text"), "Hello there.");
  EXPECT_EQ(item.at("content").at(0).at("annotations"), json::array());

  const auto n_prompt = static_cast<int64_t>(engine.requests().at(0).prompt.size());
  const auto n_answer = static_cast<int64_t>(tokens_of("Hello there.").size()) + 1;
  const json::value& usage = body.at("usage");
  EXPECT_EQ(usage.at("input_tokens"), n_prompt);
  EXPECT_EQ(usage.at("output_tokens"), n_answer);
  EXPECT_EQ(usage.at("total_tokens"), n_prompt + n_answer);
  EXPECT_EQ(usage.at("input_tokens_details").at("cached_tokens"), 0);
  EXPECT_EQ(usage.at("output_tokens_details").at("reasoning_tokens"), 0);
}

TEST_F(Responses, PromptIsThatOfTheSameChat) {
  start();
  chat();
  ask();
  ask("", R"([{"role":"user","content":"Hi"}])");
  EXPECT_EQ(engine.requests().at(0).prompt, engine.requests().at(1).prompt);
  EXPECT_EQ(engine.requests().at(0).prompt, engine.requests().at(2).prompt);
}

TEST_F(Responses, StreamTellsEachItemFromAddedToDone) {
  answer_with(std::string(kThought) + "It is 4." + std::string(kCall));
  start();
  const auto found = events(ask(fmt::format(R"("stream":true,{})", kTools)));
  EXPECT_EQ(outline(found),
            "created in_progress "
            "output_item.added content_part.added reasoning_text.delta reasoning_text.done content_part.done "
            "output_item.done "
            "output_item.added content_part.added output_text.delta output_text.done content_part.done "
            "output_item.done "
            "output_item.added function_call_arguments.delta function_call_arguments.done output_item.done "
            "completed");
  EXPECT_EQ(joined(found, "response.reasoning_text.delta"), "This is simple.");
  EXPECT_EQ(joined(found, "response.output_text.delta"), "It is 4.");
  EXPECT_EQ(joined(found, "response.function_call_arguments.delta"), R"({"a":1,"b":"two"})");

  const json::object& response = found.back().at("response").as_object();
  const json::array& output = response.at("output").as_array();
  ASSERT_EQ(output.size(), 3u);
  size_t n_done = 0;
  for (const json::object& event : found) {
    if (const json::value* id = event.if_contains("item_id")) {
      EXPECT_EQ(*id, output.at(event.at("output_index").to_number<size_t>()).at("id")) << event;
    }
    if (event.at("type") == "response.output_item.done") {
      EXPECT_EQ(event.at("item"), output.at(n_done++));
    }
  }
  EXPECT_EQ(n_done, 3u);
  EXPECT_EQ(found.front().at("response").at("id"), response.at("id"));
  EXPECT_EQ(found.front().at("response").at("status"), "in_progress");
  EXPECT_EQ(output[2].at("type"), "function_call");
  EXPECT_TRUE(output[2].at("call_id").as_string().starts_with("call_"));
  EXPECT_EQ(output[2].at("name"), "add");
  EXPECT_EQ(output[2].at("arguments"), R"({"a":1,"b":"two"})");

  const json::value whole = ask(kTools).json();
  EXPECT_EQ(lasting(whole.as_object()), lasting(response));
}

TEST_F(Responses, ThoughtsComeAsASummaryWhereOneIsAskedFor) {
  answer_with(std::string(kThought) + "It is 4.");
  start();
  constexpr std::string_view kSummary = R"("reasoning":{"effort":"low","summary":"auto"})";
  const auto found = events(ask(fmt::format(R"("stream":true,{})", kSummary)));
  EXPECT_EQ(outline(found).substr(0, outline(found).find(" output_item.done")),
            "created in_progress output_item.added reasoning_summary_part.added reasoning_summary_text.delta "
            "reasoning_summary_text.done reasoning_summary_part.done");
  const json::value item = ask(kSummary).json().at("output").at(0);
  EXPECT_EQ(item.at("type"), "reasoning");
  EXPECT_EQ(item.at("summary"), json::array({{{"type", "summary_text"}, {"text", "This is simple."}}}));
}

TEST_F(Responses, ReasoningTokensAreCounted) {
  answer_with(std::string(kThought) + "It is 4.");
  start();
  const json::value usage = ask().json().at("usage");
  const auto n_thought = static_cast<int64_t>(tokens_of("<|channel>thought\nThis is simple.").size());
  const int64_t n_counted = usage.at("output_tokens_details").at("reasoning_tokens").as_int64();
  EXPECT_GE(n_counted, n_thought);
  EXPECT_LE(n_counted, n_thought + 2);  // the thought's last newline and marker
}

TEST_F(Responses, AnswersThatTheLengthCutsAreIncomplete) {
  start();
  const json::value body = ask(R"("max_output_tokens":1)").json();
  EXPECT_EQ(body.at("status"), "incomplete");
  EXPECT_EQ(body.at("incomplete_details").at("reason"), "max_output_tokens");
  EXPECT_EQ(body.at("output").at(0).at("status"), "incomplete");
  EXPECT_FALSE(body.as_object().contains("completed_at"));
  const auto found = events(ask(R"("max_output_tokens":1,"stream":true)"));
  EXPECT_EQ(found.back().at("type"), "response.incomplete");
  EXPECT_EQ(lasting(found.back().at("response").as_object()), lasting(body.as_object()));
}

TEST_F(Responses, ErrorsAfterTheStreamBeganAreAFailedResponse) {
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = tokens_of("Hello"), .error = Error(ErrorKind::internal, "engine: broke")};
  };
  start();
  const auto found = events(ask(R"("stream":true)"));
  const json::value& response = found.back().at("response");
  EXPECT_EQ(found.back().at("type"), "response.failed");
  EXPECT_EQ(response.at("status"), "failed");
  EXPECT_EQ(response.at("error"), (json::object{{"code", "server_error"}, {"message", "engine: broke"}}));
  EXPECT_EQ(response.at("output").at(0).at("content").at(0).at("text"), "Hello");
  EXPECT_EQ(ask().status, 500u);
}

TEST_F(Responses, ItemsBecomeTheMessagesOfTheTemplate) {
  start();
  const HttpAnswer answer = post(R"({"instructions":"Be brief.",
    "tools":[{"type":"function","name":"add","description":"Adds","strict":true,"parameters":
      {"type":"object","properties":{"a":{"type":"integer","description":"first"}},"required":["a"]}}],
    "input":[
      {"role":"developer","content":"Be kind."},
      {"type":"message","role":"user","content":[{"type":"input_text","text":"One."},{"type":"input_text","text":"Two."}]},
      {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"I should add."}]},
      {"type":"message","id":"msg_1","role":"assistant","status":"completed","content":
        [{"type":"output_text","text":"I add.","annotations":[]}]},
      {"type":"function_call","id":"fc_1","call_id":"c1","name":"add","arguments":"{\"a\":1}"},
      {"type":"function_call","call_id":"c2","name":"add","arguments":"{}"},
      {"type":"function_call_output","call_id":"c1","output":"3"},
      {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"none"}]},
      {"role":"user","content":"Go on."}],
    "store":true,"service_tier":"auto","user":"me","include":["reasoning.encrypted_content"]})");
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const HttpAnswer same = HttpClient(port()).post("/v1/chat/completions", R"({"messages":[
    {"role":"system","content":"Be brief.\nBe kind."},
    {"role":"user","content":"One.\nTwo."},
    {"role":"assistant","content":"I add.","reasoning_content":"I should add.","tool_calls":[
      {"id":"c1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}},
      {"id":"c2","type":"function","function":{"name":"add","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c1","content":"3"},
    {"role":"tool","tool_call_id":"c2","content":"none"},
    {"role":"user","content":"Go on."}],
    "tools":[{"type":"function","function":{"name":"add","description":"Adds","parameters":
      {"type":"object","properties":{"a":{"type":"integer","description":"first"}},"required":["a"]}}}]})");
  ASSERT_EQ(same.status, 200u) << same.body;
  EXPECT_EQ(prompt(0), prompt(1));
}

TEST_F(Responses, ThinkingIsAskedForByEffort) {
  start();
  ask(R"("reasoning":{"effort":"high"})");
  ask(R"("reasoning":{"effort":"none"})");
  ask(R"("reasoning":{"effort":null})");
  EXPECT_NE(prompt(0).find("<|think|>"), std::string::npos);
  EXPECT_EQ(prompt(1).find("<|think|>"), std::string::npos);
  EXPECT_EQ(prompt(1), prompt(2));
}

TEST_F(Responses, LogprobsAreThoseOfTheText) {
  answer_with(std::string(kThought) + "It is 4.");
  start();
  constexpr std::string_view kLogprobs = R"("include":["message.output_text.logprobs"],"top_logprobs":2)";
  const auto bytes_of = [](const json::array& logprobs) {
    std::string text;
    for (const json::value& entry : logprobs) {
      EXPECT_EQ(entry.at("top_logprobs").as_array().size(), 2u);
      for (const json::value& byte : entry.at("bytes").as_array()) text += static_cast<char>(byte.as_int64());
    }
    return text;
  };
  const json::value body = ask(kLogprobs).json();
  EXPECT_EQ(bytes_of(body.at("output").at(1).at("content").at(0).at("logprobs").as_array()), "It is 4.");
  std::string streamed;
  for (const json::object& event : events(ask(fmt::format(R"({},"stream":true)", kLogprobs))))
    if (event.at("type") == "response.output_text.delta") streamed += bytes_of(event.at("logprobs").as_array());
  EXPECT_EQ(streamed, "It is 4.");
  EXPECT_EQ(ask().json().at("output").at(1).at("content").at(0).at("logprobs"), json::array());
}

TEST_F(Responses, CharactersAreNeverCutBetweenTokens) {
  const std::string text = "caf\xC3\xA9 \xF0\x9F\xA6\x86\xF0\x9F\x8E\x89!";
  answer_with(text);
  start();
  const HttpAnswer answer = ask(R"("stream":true)");
  EXPECT_EQ(joined(events(answer), "response.output_text.delta"), text);
  EXPECT_EQ(answer.body.find("\xEF\xBF\xBD"), std::string::npos);
}

TEST_F(Responses, ToolChoiceNoneHidesTheTools) {
  start();
  ask(fmt::format(R"({},"tool_choice":"none")", kTools));
  EXPECT_EQ(prompt(0).find("declaration:add"), std::string::npos);
}

TEST_F(Responses, CallsAndFormatsThatAreAskedForHoldTheAnswer) {
  start();
  const auto is_held = [&](std::string_view members) {
    EXPECT_EQ(ask(members).status, 200u) << members;
    return engine.requests().back().constraint != nullptr;
  };
  const auto with_tools = [&](std::string_view members) { return fmt::format("{},{}", kTools, members); };
  EXPECT_FALSE(is_held(""));
  EXPECT_TRUE(is_held(with_tools(R"("tool_choice":"required")")));
  EXPECT_TRUE(is_held(with_tools(R"("tool_choice":{"type":"function","name":"add"})")));
  EXPECT_TRUE(is_held(with_tools(
      R"("tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"add"}]})")));
  EXPECT_TRUE(is_held(R"("text":{"format":{"type":"json_object"}})"));
  EXPECT_TRUE(is_held(R"("text":{"format":{"type":"json_schema","name":"a","schema":{"type":"integer"}}})"));
}

TEST_F(Responses, WrongFieldsAreNamed) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("previous_response_id":"resp_1")", "previous_response_id"},
      {R"("conversation":"conv_1")", "conversation"},
      {R"("prompt":{"id":"p"})", "prompt"},
      {R"("background":true)", "background"},
      {R"("truncation":"auto")", "truncation"},
      {R"("metadata":"a")", "metadata"},
      {R"("max_output_tokens":0)", "max_output_tokens"},
      {R"("max_output_tokens":600)", "max_output_tokens"},
      {R"("temperature":3)", "temperature"},
      {R"("top_logprobs":21)", "top_logprobs"},
      {R"("instructions":7)", "instructions"},
      {R"("reasoning":{"effort":1})", "reasoning.effort"},
      {R"("text":{"format":{"type":"xml"}})", "text.format.type"},
      {R"("text":{"format":{"type":"json_schema","name":"a"}})", "text.format.schema"},
      {R"("tools":[{"type":"web_search"}])", "tools[0].type"},
      {R"("tools":[{"type":"function"}])", "tools[0].name"},
      {R"("tool_choice":{"type":"custom","name":"f"})", "tool_choice.type"},
      {R"("tool_choice":{"type":"function"})", "tool_choice.name"},
      {R"("input":null)", "input"},
      {R"("input":[])", "input"},
      {R"("input":["Hi"])", "input[0]"},
      {R"("input":[{"role":"king","content":"Hi"}])", "input[0].role"},
      {R"("input":[{"role":"user"}])", "input[0].content"},
      {R"("input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}])", "input[0].content[0].type"},
      {R"("input":[{"type":"item_reference","id":"x"}])", "input[0].type"},
      {R"("input":[{"type":"function_call","name":"f","arguments":"{}"}])", "input[0].call_id"},
      {R"("input":[{"type":"function_call_output","call_id":"c"}])", "input[0].output"},
  };
  HttpClient client(port());
  for (const auto& [members, param] : cases) {
    const HttpAnswer answer = client.post("/v1/responses", fmt::format(R"({{"input":"Hi",{}}})", members));
    EXPECT_EQ(answer.status, 400u) << members;
    EXPECT_EQ(error_param_of(answer), param) << answer.body;
    EXPECT_EQ(answer.json().at("error").at("type"), "invalid_request_error");
  }
  EXPECT_TRUE(engine.requests().empty());
}

TEST_F(Responses, WhatTheyRepeatStaysChargedUntilTheyEnd) {
  options.max_request_bytes = 5 << 20;
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = {5}, .per_token = std::chrono::milliseconds(5), .endless = true};
  };
  start();
  const std::string body = fmt::format(
      R"({{"input":"Hi","stream":true,"tool_choice":"none","tools":[{{"type":"function","name":"f","description":"{}"}}]}})",
      std::string(600 << 10, 'a'));
  std::vector<std::unique_ptr<HttpClient>> clients;  // which all go on
  std::string head;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<HttpClient>(port()));
    clients.back()->write(
        fmt::format("POST /v1/responses HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
    head = clients.back()->read_some();
    EXPECT_TRUE(i > 0 || head.starts_with("HTTP/1.1 200")) << head;
  }
  EXPECT_TRUE(head.starts_with("HTTP/1.1 503")) << head;
}

TEST_F(Responses, PromptsBeyondTheContextNameTheInput) {
  start();
  std::string words;
  for (int i = 0; i < 600; ++i) words += "word ";
  const HttpAnswer answer = ask("", '"' + words + '"');
  EXPECT_EQ(answer.status, 400u);
  EXPECT_EQ(error_code_of(answer), "context_length_exceeded");
  EXPECT_EQ(error_param_of(answer), "input");
}

}  // namespace
}  // namespace paro
