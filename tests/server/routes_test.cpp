#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <fstream>
#include <iterator>

#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;
using boost::beast::http::field;
using boost::beast::http::verb;

class Routes : public ServerTest {};

TEST_F(Routes, AnswerWithAndWithoutVersionAndTrailingSlash) {
  start();
  HttpClient client(port());
  for (const std::string target : {"/health", "/v1/health/", "/models", "/v1/models/", "/v1/models?x=1", "/memory"})
    EXPECT_EQ(client.get(target).status, 200u) << target;
}

TEST_F(Routes, HealthIsOk) {
  start();
  EXPECT_EQ(HttpClient(port()).get("/health").body, R"({"status":"ok"})");
}

TEST_F(Routes, ModelsTellTheWindowOfARequest) {
  start();
  HttpClient client(port());
  const json::value list = client.get("/v1/models").json();
  EXPECT_EQ(list.at("object"), "list");
  const json::value& model = list.at("data").at(0);
  EXPECT_EQ(model.at("id"), "demo");
  EXPECT_EQ(model.at("object"), "model");
  EXPECT_TRUE(model.at("created").is_int64());
  EXPECT_EQ(model.at("max_model_len"), 512);
  EXPECT_EQ(model.at("meta").at("n_ctx"), 512);
  EXPECT_EQ(client.get("/v1/models/demo").json(), model);
  EXPECT_EQ(client.get("/v1/models/d%65mo").json(), model);
  EXPECT_EQ(client.get("/v1/models/other").status, 404u);
}

TEST_F(Routes, CardIsTheTextThatItWasGiven) {
  start();
  HttpClient client(port());
  for (const std::string target : {"/v1/models/demo/card", "/models/demo/card", "/v1/models/d%65mo/card/"}) {
    const HttpAnswer answer = client.get(target);
    EXPECT_EQ(answer.status, 200u) << target;
    EXPECT_EQ(answer.body, card) << target;
    EXPECT_EQ(answer.fields[field::content_type], "application/json");
  }
  EXPECT_EQ(client.get("/v1/models/demo").json().at("object"), "model");
}

TEST_F(Routes, CardOfAnotherModelIs404) {
  start();
  HttpClient client(port());
  for (const std::string target : {"/v1/models/other/card", "/models/other/card"}) {
    const HttpAnswer answer = client.get(target);
    EXPECT_EQ(answer.status, 404u) << target;
    EXPECT_EQ(error_code_of(answer), "model_not_found");
    EXPECT_NE(answer.body.find("'other'"), std::string::npos) << answer.body;
  }
  for (const std::string target : {"/models/card", "/models//card", "/models/demo/cards", "/models/demo/card/card"})
    EXPECT_EQ(client.get(target).status, 404u) << target;
}

TEST_F(Routes, CardIsOnlyRead) {
  start();
  for (const std::string target : {"/v1/models/demo/card", "/models/demo/card"}) {
    const HttpAnswer answer = HttpClient(port()).post(target, "{}");
    EXPECT_EQ(answer.status, 405u) << target;
    EXPECT_EQ(answer.fields[field::allow], "GET, HEAD, OPTIONS");
  }
}

TEST_F(Routes, CardNeedsTheKey) {
  options.api_keys = {"secret"};
  start();
  HttpClient client(port());
  EXPECT_EQ(client.get("/v1/models/demo/card").status, 401u);
  EXPECT_EQ(client.get("/v1/models/demo/card", {{"X-Api-Key", "secret"}}).body, card);
}

TEST_F(Routes, ModelWhoseIdEndsLikeACardHasOneAllTheSame) {
  model_id = "org/demo/card";
  start();
  HttpClient client(port());
  EXPECT_EQ(client.get("/v1/models/org/demo/card").json().at("id").as_string(), model_id);
  EXPECT_EQ(client.get("/v1/models/org/demo/card/card").body, card);
  EXPECT_EQ(client.get("/v1/models/org/demo").status, 404u);
}

TEST_F(Routes, HeadIsGetWithoutItsBody) {
  start();
  HttpClient client(port());
  client.write("HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string head = client.read_some();
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200")) << head;
  EXPECT_NE(head.find("Content-Length: 15\r\n"), std::string::npos) << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  EXPECT_EQ(client.get("/health").status, 200u);
}

TEST_F(Routes, TokenizeTakesTextOfLimitedLength) {
  start();
  const std::string body = R"({"content":")" + std::string((4 << 20) + 1, 'a') + R"("})";
  EXPECT_EQ(HttpClient(port()).post("/tokenize", body).status, 400u);
}

TEST_F(Routes, MemoryIsTheEnginesReport) {
  engine.report.plan_bytes = 100;
  engine.report.budget_bytes = 200;
  engine.report.fits = true;
  engine.report.classes = {{"weights", 70, 69}, {"kv cache", 30, 0}};
  start();
  const json::value memory = HttpClient(port()).get("/v1/memory").json();
  EXPECT_EQ(memory.at("plan_bytes"), 100);
  EXPECT_EQ(memory.at("budget_bytes"), 200);
  EXPECT_EQ(memory.at("fits"), true);
  EXPECT_EQ(memory.at("classes").at(0), (json::object{{"name", "weights"}, {"plan_bytes", 70}, {"actual_bytes", 69}}));
  EXPECT_GT(memory.at("peak_resident_bytes").as_int64(), 1 << 20);
}

TEST_F(Routes, TokenizeAndDetokenizeSpeakBothDialects) {
  start();
  HttpClient client(port());
  const std::vector<int32_t> ids = tokens_of("Hello there.");
  const json::value plain = client.post("/tokenize", R"({"content":"Hello there."})").json();
  EXPECT_EQ(plain.at("tokens"), json::value_from(ids));
  EXPECT_EQ(plain.at("count"), static_cast<int64_t>(ids.size()));
  EXPECT_EQ(plain.at("max_model_len"), 512);
  EXPECT_EQ(client.post("/tokenize", R"({"content":"Hello there.","add_special":true})").json().at("tokens"),
            json::value_from(demo_tokenizer().encode("Hello there.", true)));
  EXPECT_EQ(client.post("/tokenize", R"({"prompt":"Hello there."})").json().at("tokens"),
            json::value_from(demo_tokenizer().encode("Hello there.", true)));
  std::string pieces;
  const json::value with_pieces = client.post("/tokenize", R"({"content":"Hello there.","with_pieces":true})").json();
  for (const json::value& token : with_pieces.at("tokens").as_array()) pieces += token.at("piece").as_string();
  EXPECT_EQ(pieces, "Hello there.");

  const json::value text =
      client.post("/detokenize", R"({"tokens":)" + json::serialize(plain.at("tokens")) + "}").json();
  EXPECT_EQ(text.at("content"), "Hello there.");
  EXPECT_EQ(text.at("prompt"), "Hello there.");
  EXPECT_EQ(client.post("/tokenize", "{}").status, 400u);
  EXPECT_EQ(client.post("/detokenize", R"({"tokens":["a"]})").status, 400u);
}

TEST_F(Routes, ApplyTemplateGivesThePromptThatTokenizeCounts) {
  start();
  HttpClient client(port());
  const std::string prompt(client.post("/apply-template", chat_body()).json().at("prompt").as_string());
  EXPECT_EQ(prompt, "<bos><|turn>user\nHi<turn|>\n<|turn>model\n<|channel>thought\n<channel|>");
  EXPECT_EQ(client.post("/tokenize", chat_body()).json().at("tokens"), json::value_from(tokens_of(prompt)));
}

TEST_F(Routes, DemoTranscriptsHaveThePromptsTheyWereMadeWith) {
  engine.model_info.max_context = 4096;
  start();
  HttpClient client(port());
  std::ifstream file(PARO_SOURCE_DIR "/tests/goldens/demo_transcripts.json");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const json::value transcripts = json::parse(text);
  for (const json::value& transcript : transcripts.as_array()) {
    const json::object body{{"messages", transcript.at("messages")},
                            {"tools", transcript.at("tools")},
                            {"chat_template_kwargs", {{"enable_thinking", transcript.at("thinking")}}}};
    const json::value answer = client.post("/tokenize", json::serialize(body)).json();
    EXPECT_EQ(answer.at("count"), transcript.at("prompt_tokens")) << json::serialize(body);
  }
}

TEST_F(Routes, PageNeedsNoKey) {
  options.api_keys = {"secret"};
  start();
  const HttpAnswer answer = HttpClient(port()).get("/");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.fields[field::content_type], "text/html; charset=utf-8");
  EXPECT_TRUE(answer.body.starts_with("<!doctype html>")) << answer.body.substr(0, 100);
  EXPECT_EQ(answer.fields["Content-Security-Policy"].find("unsafe"), std::string_view::npos);
  EXPECT_EQ(answer.fields["X-Content-Type-Options"], "nosniff");
}

TEST_F(Routes, PageIsCompressedWhereItMayBe) {
  start();
  HttpClient client(port());
  const HttpAnswer plain = client.get("/");
  EXPECT_EQ(plain.fields.count(field::content_encoding), 0u);
  for (const std::string accepted : {"gzip", "deflate, GZIP;q=0.1", "*", "gzip;q=1.0, identity;q=0"}) {
    const HttpAnswer answer = client.get("/", {{"Accept-Encoding", accepted}});
    EXPECT_EQ(answer.fields[field::content_encoding], "gzip") << accepted;
    EXPECT_TRUE(answer.body.starts_with("\x1f\x8b")) << accepted;
    EXPECT_EQ(answer.fields[field::etag], plain.fields[field::etag]);
  }
  for (const std::string refused : {"gzip;q=0", "gzip; q=0.000", "br", "gzipped", "identity"})
    EXPECT_EQ(client.get("/", {{"Accept-Encoding", refused}}).body, plain.body) << refused;
}

TEST_F(Routes, PageThatIsKnownIsNotSentAgain) {
  start();
  HttpClient client(port());
  const std::string tag(client.get("/").fields[field::etag]);
  const HttpAnswer known = client.get("/", {{"If-None-Match", tag}});
  EXPECT_EQ(known.status, 304u);
  EXPECT_EQ(known.body, "");
  EXPECT_EQ(known.fields[field::etag], tag);
  EXPECT_EQ(client.get("/", {{"If-None-Match", "\"another\""}}).status, 200u);
  EXPECT_EQ(client.get("/health").status, 200u) << "the connection goes on";
}

TEST_F(Routes, PageIsAtTheRootAlone) {
  start();
  HttpClient client(port());
  EXPECT_EQ(client.get("/index.html").status, 404u);
  EXPECT_EQ(client.post("/", "{}").status, 405u);
}

TEST_F(Routes, PreflightAllowsAnyOrigin) {
  options.api_keys = {"secret"};
  start();
  const HttpAnswer answer = HttpClient(port()).send(
      verb::options, "/v1/chat/completions", "",
      {{"Origin", "http://a"}, {"Access-Control-Request-Headers", "authorization,x-stainless-os"}});
  EXPECT_EQ(answer.status, 204u);
  EXPECT_EQ(answer.fields[field::access_control_allow_origin], "*");
  EXPECT_EQ(answer.fields[field::access_control_allow_headers], "authorization,x-stainless-os");
  EXPECT_EQ(answer.fields.count(field::access_control_allow_credentials), 0u);
}

}  // namespace
}  // namespace paro
