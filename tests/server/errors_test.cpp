#include <boost/asio/ip/tcp.hpp>

#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;
using boost::beast::http::field;
using boost::beast::http::verb;

class Errors : public ServerTest {};

TEST_F(Errors, MalformedJsonIs400) {
  start();
  for (const std::string body : {"", "{", "[]", "{\"messages\":}", "\xff"}) {
    const HttpAnswer answer = HttpClient(port()).post("/v1/chat/completions", body);
    EXPECT_EQ(answer.status, 400u) << body;
    EXPECT_EQ(answer.json().at("error").at("type"), "invalid_request_error");
  }
  const std::string deep(100000, '[');
  EXPECT_EQ(HttpClient(port()).post("/v1/chat/completions", deep).status, 400u);
}

TEST_F(Errors, WrongTypesAndValuesNameTheirField) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("temperature":"hot")", "temperature"},
      {R"("temperature":-1)", "temperature"},
      {R"("temperature":2.5)", "temperature"},
      {R"("top_p":1.5)", "top_p"},
      {R"("top_k":1.5)", "top_k"},
      {R"("top_k":-2)", "top_k"},
      {R"("n":0)", "n"},
      {R"("n":true)", "n"},
      {R"("max_tokens":0)", "max_tokens"},
      {R"("max_completion_tokens":"8")", "max_completion_tokens"},
      {R"("stream":"yes")", "stream"},
      {R"("stream_options":{"include_usage":1})", "stream_options.include_usage"},
      {R"("stop":5)", "stop"},
      {R"("stop":[""])", "stop"},
      {R"("stop":["a",1])", "stop"},
      {R"("seed":"x")", "seed"},
      {R"("seed":1e300)", "seed"},
      {R"("logit_bias":{"a":1})", "logit_bias"},
      {R"("logit_bias":{"99999999":1})", "logit_bias"},
      {R"("logit_bias":{"1":101})", "logit_bias"},
      {R"("logprobs":3)", "logprobs"},
      {R"("top_logprobs":3)", "top_logprobs"},
      {R"("logprobs":true,"top_logprobs":21)", "top_logprobs"},
      {R"("tool_choice":"required")", "tool_choice"},
      {R"("tool_choice":{"type":"function","function":{"name":"f"}})", "tool_choice"},
      {R"("response_format":{"type":"xml"})", "response_format.type"},
      {R"("tools":{})", "tools"},
      {R"("tools":[{"type":"function"}])", "tools[0].function"},
      {R"("tools":[{"type":"web_search"}])", "tools[0].type"},
      {R"("chat_template_kwargs":[])", "chat_template_kwargs"},
      {R"("model":7)", "model"},
      {R"("messages":"Hi")", "messages"},
      {R"("messages":[])", "messages"},
      {R"("messages":null)", "messages"},
      {R"("messages":["Hi"])", "messages[0]"},
      {R"("messages":[{"content":"Hi"}])", "messages[0].role"},
      {R"("messages":[{"role":"king","content":"Hi"}])", "messages[0].role"},
      {R"("messages":[{"role":"user"}])", "messages[0].content"},
      {R"("messages":[{"role":"user","content":7}])", "messages[0].content"},
      {R"("messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}])",
       "messages[0].content[0].type"},
      {R"("messages":[{"role":"user","content":[{"type":"text"}]}])", "messages[0].content[0].text"},
      {R"("messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}])", "messages[0].tool_calls[0].function"},
  };
  HttpClient client(port());  // all on one connection: errors keep it
  for (const auto& [members, param] : cases) {
    const HttpAnswer answer = client.post("/v1/chat/completions", chat_body(members));
    EXPECT_EQ(answer.status, 400u) << members;
    EXPECT_EQ(error_param_of(answer), param) << answer.body;
    EXPECT_EQ(answer.json().at("error").at("type"), "invalid_request_error");
  }
  EXPECT_TRUE(engine.requests().empty());
}

TEST_F(Errors, EachEngineErrorHasItsStatus) {
  struct Case {
    ErrorKind kind;
    unsigned status;
    std::string_view code;
  };
  start();
  for (const Case& each :
       {Case{ErrorKind::request, 400, "invalid_request"},
        Case{ErrorKind::context_length, 400, "context_length_exceeded"},
        Case{ErrorKind::memory, 400, "memory_plan_exceeded"}, Case{ErrorKind::unavailable, 503, "unavailable"},
        Case{ErrorKind::internal, 500, "internal_error"}, Case{ErrorKind::chat_template, 500, "chat_template_error"}}) {
    engine.submit_error = Error(each.kind, "engine: no");
    for (const std::string_view members : {"", R"("stream":true)"}) {  // an error before the stream is a status
      const HttpAnswer answer = chat(members);
      EXPECT_EQ(answer.status, each.status);
      EXPECT_EQ(error_code_of(answer), each.code);
      EXPECT_EQ(answer.fields.count(field::retry_after), each.status == 503 ? 1u : 0u);
    }
  }
}

TEST_F(Errors, ErrorsAfterTheStreamBeganComeInBand) {
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = tokens_of("Hello"), .error = Error(ErrorKind::internal, "engine: broke")};
  };
  start();
  const HttpAnswer whole = chat();
  EXPECT_EQ(whole.status, 500u);
  EXPECT_EQ(error_code_of(whole), "internal_error");

  const HttpAnswer streamed = chat(R"("stream":true)");
  EXPECT_EQ(streamed.status, 200u);
  const auto chunks = streamed.chunks();
  EXPECT_EQ(chunks.back().at("error").at("message"), "engine: broke");
  EXPECT_NE(streamed.body.find(R"("content":"Hello")"), std::string::npos) << streamed.body;  // what came before it
}

TEST_F(Errors, ContextOverflowSaysTheCounts) {
  start();
  std::string words;
  for (int i = 0; i < 600; ++i) words += "word ";
  const HttpAnswer answer = chat("", words);
  EXPECT_EQ(answer.status, 400u);
  const json::value error = answer.json().at("error");
  EXPECT_EQ(error.at("code"), "context_length_exceeded");
  EXPECT_EQ(error.at("param"), "messages");
  EXPECT_EQ(error.at("n_ctx"), 512);
  EXPECT_GT(error.at("n_prompt_tokens").as_int64(), 512);
  EXPECT_NE(error.at("message").as_string().find("maximum context length is 512 tokens"), std::string::npos);

  const HttpAnswer too_much = chat(R"("max_tokens":600)");
  EXPECT_EQ(error_code_of(too_much), "context_length_exceeded");
  EXPECT_EQ(error_param_of(too_much), "max_tokens");
  EXPECT_TRUE(engine.requests().empty());

  const HttpAnswer huge = chat("", std::string(4 << 20, 'a'));  // refused without tokenizing it
  EXPECT_EQ(error_code_of(huge), "context_length_exceeded");
}

TEST_F(Errors, QueueFullIs503WithRetryAfter) {
  engine.capacity = 1;
  engine.script = [](const GenerationRequest&) { return Script{.tokens = {5}, .endless = true}; };
  start();
  HttpClient busy(port());
  const std::string body = chat_body(R"("stream":true)");
  busy.write("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
             "\r\n\r\n" + body);
  ASSERT_TRUE(engine.wait_for_requests(1, std::chrono::seconds(5)));
  const HttpAnswer answer = chat();
  EXPECT_EQ(answer.status, 503u);
  EXPECT_EQ(answer.fields[field::retry_after], "1");
  EXPECT_TRUE(answer.keeps_alive);
}

TEST_F(Errors, SecondChoiceThatDoesNotFitTakesTheFirstAlong) {
  engine.capacity = 1;
  engine.script = [](const GenerationRequest&) { return Script{.tokens = {5}, .endless = true}; };
  start();
  EXPECT_EQ(chat(R"("n":2)").status, 503u);
  EXPECT_TRUE(engine.wait_until_idle(std::chrono::seconds(5)));
}

TEST_F(Errors, UnknownModelIs404) {
  start();
  const HttpAnswer answer = chat(R"("model":"gpt-9")");
  EXPECT_EQ(answer.status, 404u);
  EXPECT_EQ(error_code_of(answer), "model_not_found");
  EXPECT_EQ(error_param_of(answer), "model");
  EXPECT_EQ(chat(R"("model":"demo")").status, 200u);
  EXPECT_EQ(chat(R"("model":null)").status, 200u);
}

TEST_F(Errors, UnknownRoutesAndMethodsAreToldApart) {
  start();
  HttpClient client(port());
  EXPECT_EQ(client.get("/v1/nothing").status, 404u);
  EXPECT_EQ(client.get("/page").status, 404u);
  const HttpAnswer wrong_method = client.get("/v1/chat/completions");
  EXPECT_EQ(wrong_method.status, 405u);
  EXPECT_EQ(wrong_method.fields[field::allow], "POST, OPTIONS");
  EXPECT_EQ(client.post("/health", "{}").fields[field::allow], "GET, HEAD, OPTIONS");
  HttpClient other(port());
  other.write("BREW /health HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(other.read_answer().status, 405u);
}

TEST_F(Errors, OtherMediaTypesAre415) {
  start();
  HttpClient client(port());
  const auto status = [&](const Headers& headers) {
    return client.send(verb::post, "/v1/chat/completions", chat_body(), headers).status;
  };
  EXPECT_EQ(status({}), 200u);
  EXPECT_EQ(status({{"Content-Type", "Application/JSON; charset=utf-8"}}), 200u);
  const HttpAnswer refused =
      HttpClient(port()).send(verb::post, "/v1/chat/completions", "a=b", {{"Content-Type", "text/plain"}});
  EXPECT_EQ(refused.status, 415u);
}

TEST_F(Errors, KeysAreAskedForExceptOnHealth) {
  options.api_keys = {"first", "second"};
  start();
  EXPECT_EQ(HttpClient(port()).get("/v1/models").status, 401u);
  EXPECT_EQ(HttpClient(port()).get("/v1/models", {{"Authorization", "Bearer secon"}}).status, 401u);
  EXPECT_EQ(HttpClient(port()).get("/v1/models", {{"Authorization", "Bearer second"}}).status, 200u);
  EXPECT_EQ(HttpClient(port()).get("/v1/models", {{"Authorization", "bearer first"}}).status, 200u);
  EXPECT_EQ(HttpClient(port()).get("/v1/models", {{"X-Api-Key", "first"}}).status, 200u);
  EXPECT_EQ(HttpClient(port()).get("/health").status, 200u);
  EXPECT_EQ(HttpClient(port()).get("/v1/nothing").status, 401u);
  const HttpAnswer refused = chat();
  EXPECT_EQ(refused.status, 401u);
  EXPECT_EQ(error_code_of(refused), "invalid_api_key");
  EXPECT_TRUE(engine.requests().empty());
}

TEST_F(Errors, AnEmptyKeyOpensNothing) {
  options.api_keys = {""};
  start();
  EXPECT_EQ(HttpClient(port()).get("/v1/models").status, 401u);
  EXPECT_EQ(HttpClient(port()).get("/v1/models", {{"Authorization", "Bearer "}}).status, 401u);
}

TEST_F(Errors, BodiesTooLargeAre413) {
  options.max_body_bytes = 1000;
  start();
  HttpClient client(port());
  const HttpAnswer answer = client.post("/v1/chat/completions", std::string(200000, ' '));
  EXPECT_EQ(answer.status, 413u);
  EXPECT_FALSE(answer.keeps_alive);

  HttpClient chunked(port());
  chunked.write("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" +
                std::string(0xfff, ' ') + "\r\n");
  EXPECT_EQ(chunked.read_answer().status, 413u);
}

TEST_F(Errors, LargeBodiesShareABudget) {
  options.max_request_bytes = 100000;
  start();
  EXPECT_EQ(chat("", std::string(120000, 'a')).status, 413u);  // too large by itself
  EXPECT_EQ(chat("", std::string(80000, 'a')).status, 400u);   // read, and longer than the context
  EXPECT_EQ(chat("", std::string(80000, 'a')).status, 400u);   // the first gave its share back

  HttpClient holder(port());  // sends half of a body that takes most of the pool
  holder.write("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 80000\r\n\r\n" +
               std::string(40000, ' '));
  unsigned status = 0;
  for (int i = 0; i < 200 && status != 503; ++i) status = chat("", std::string(70000, 'a')).status;
  EXPECT_EQ(status, 503u);
  EXPECT_EQ(chat().status, 200u);  // small ones are free of charge
}

TEST_F(Errors, TreesAreChargedToTheBudget) {
  options.max_request_bytes = 1 << 20;
  start();
  std::string list = "[1";
  for (int i = 0; i < 60000; ++i) list += ",1";  // 24 times as large once it is read
  const HttpAnswer answer = chat("\"metadata\":" + list + "]");
  EXPECT_EQ(answer.status, 413u) << answer.body;
  EXPECT_EQ(error_code_of(answer), "request_too_large");
  EXPECT_EQ(chat("\"metadata\":" + list.substr(0, 10000) + "]").status, 200u);
}

TEST_F(Errors, BodiesGiveTheirShareBackBeforeTheAnswer) {
  options.max_request_bytes = 600000;
  engine.model_info.max_context = 1 << 20;
  engine.script = [](const GenerationRequest&) { return Script{.tokens = {5}, .endless = true}; };
  start();
  const std::string body = chat_body(R"("stream":true)") + std::string(200000, ' ');
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (size_t i = 1; i <= 3; ++i) {
    clients.push_back(std::make_unique<HttpClient>(port()));
    clients.back()->write(
        fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                    body.size(), body));
    ASSERT_TRUE(engine.wait_for_requests(i, std::chrono::seconds(5)));
  }
}

TEST_F(Errors, WholeAnswersAreChargedToTheBudget) {
  options.max_request_bytes = 1 << 20;
  engine.model_info.max_context = 1 << 20;
  engine.script = [](const GenerationRequest& request) {
    return Script{.tokens = tokens_of("Hello there."), .endless = request.max_tokens > 100};
  };
  start();
  const HttpAnswer answer = chat();
  EXPECT_EQ(answer.status, 400u) << answer.body;
  EXPECT_EQ(error_code_of(answer), "memory_plan_exceeded");
  EXPECT_TRUE(engine.wait_until_idle(std::chrono::seconds(5)));
  EXPECT_EQ(chat(R"("max_tokens":50)").status, 200u);
}

TEST(ServerOptions, PlanComesTo124MiBStacksACardATemplateAndMetrics) {
  EXPECT_EQ(server::planned_bytes({}), (int64_t{124} << 20) + (512 << 10) + server::kMaxCardBytes +
                                           server::kMaxTemplateBytes + server::kMetricsBytes);
}

TEST_F(Errors, WhatATemplateCannotReadIs400) {
  start();
  const HttpAnswer answer =
      chat(R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":[1]}}}])");
  EXPECT_EQ(answer.status, 400u) << answer.body;
  EXPECT_EQ(error_param_of(answer), "tools[0].function.parameters.properties");
  const HttpAnswer odd = chat(
      R"("tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"type":{"b":1}}}}}}])");
  EXPECT_TRUE(odd.status == 400u || odd.status == 200u) << odd.body;
  const HttpAnswer bare = HttpClient(port()).post("/v1/chat/completions", R"({"messages":[
    {"role":"user","content":"a"},
    {"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f"}}]},
    {"role":"user","content":"b"}]})");
  EXPECT_EQ(bare.status, 200u) << bare.body;
}

TEST_F(Errors, EveryAnswerNamesItsRequest) {
  options.api_keys = {"secret"};
  start();
  HttpClient client(port());
  const auto id_of = [](const HttpAnswer& answer, std::string_view field = "X-Request-Id") {
    return std::string(answer.fields[boost::beast::string_view(field.data(), field.size())]);
  };
  const std::string first = id_of(client.get("/health")), second = id_of(client.get("/health"));
  EXPECT_TRUE(first.starts_with("req_")) << first;
  EXPECT_TRUE(second.starts_with("req_")) << second;
  EXPECT_NE(first, second);
  EXPECT_EQ(id_of(HttpClient(port()).post("/v1/nowhere", "{}", {{"X-Request-Id", "my-own:1.2_3"}})), "my-own:1.2_3");
  for (const std::string& odd : {std::string(65, 'a'), std::string("a b"), std::string("a\"b")}) {
    EXPECT_TRUE(id_of(client.get("/health", {{"X-Request-Id", odd}})).starts_with("req_")) << odd;
  }
  const Headers key{{"Authorization", "Bearer secret"}, {"X-Request-Id", "mine"}};
  EXPECT_EQ(id_of(client.post("/v1/chat/completions", chat_body(R"("stream":true)"), key)), "mine");

  const HttpAnswer anthropic = HttpClient(port()).post("/v1/messages", "{", {{"X-Api-Key", "secret"}});
  EXPECT_EQ(id_of(anthropic, "Request-Id"), std::string(anthropic.json().at("request_id").as_string()));
  EXPECT_EQ(id_of(anthropic), "");

  HttpClient broken(port());
  broken.write("Hello, are you there?\r\n\r\n");
  EXPECT_TRUE(id_of(broken.read_answer()).starts_with("req_"));
}

TEST_F(Errors, InvalidUtf8OfAPathIsNotEchoed) {
  start();
  const HttpAnswer answer = HttpClient(port()).get("/v1/models/%FF");
  EXPECT_EQ(answer.status, 404u);
  EXPECT_EQ(answer.body.find('\xff'), std::string::npos);
}

TEST_F(Errors, HeadersTooLargeAre431) {
  start();
  HttpClient client(port());
  client.write("GET /health HTTP/1.1\r\nX: " + std::string(70000, 'a') + "\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 431u);
}

TEST_F(Errors, WhatIsNotHttpIs400) {
  start();
  HttpClient client(port());
  client.write("Hello, are you there?\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 400u);
}

TEST_F(Errors, WithoutATemplateChatIs400AndCompletionsWork) {
  has_template = false;
  start();
  EXPECT_EQ(chat().status, 400u);
  EXPECT_EQ(complete(R"("prompt":"a")").status, 200u);
}

TEST_F(Errors, PortInUseSaysWhichAndWhatToDo) {
  start();
  options.port = port();
  server::ServedModel model{"demo", engine, demo_tokenizer(), nullptr, "", "", "{}"};
  try {
    server::Server second(options, model);
    FAIL() << "two servers on one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_NE(error.message().find("127.0.0.1:" + std::to_string(options.port)), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("--port"), std::string::npos);
  }
}

}  // namespace
}  // namespace paro
