// /embeddings and /embedding.
#include <cmath>
#include <span>

#include "server/base64.h"
#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;

class Embeddings : public ServerTest {
 protected:
  Embeddings() { engine.embedding = {3, 4, 0, 0}; }

  HttpAnswer embed(const std::string& members) {
    return HttpClient(port()).post("/v1/embeddings", "{" + members + "}");
  }

  static std::vector<float> numbers_of(const json::value& list) {
    std::vector<float> numbers;
    for (const json::value& each : list.as_array()) numbers.push_back(each.to_number<float>());
    return numbers;
  }
  std::vector<float> vector_of(const std::string& members) {
    const HttpAnswer answer = embed(members);
    EXPECT_EQ(answer.status, 200u) << answer.body;
    return numbers_of(answer.json().at("data").at(0).at("embedding"));
  }
  std::string refused_field(const std::string& members) {
    const HttpAnswer answer = embed(members);
    EXPECT_EQ(answer.status, 400u) << members << answer.body;
    return answer.status == 400 ? error_param_of(answer) : "";
  }
};

TEST_F(Embeddings, AnswersAListWithUsage) {
  start();
  const HttpAnswer answer = embed(R"("input":["Say",[300,301]])");
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const json::value body = answer.json();
  const auto n_say = static_cast<int64_t>(demo_tokenizer().encode("Say", true).size());
  EXPECT_EQ(body.at("object"), "list");
  EXPECT_EQ(body.at("model"), "demo");
  ASSERT_EQ(body.at("data").as_array().size(), 2u);
  EXPECT_EQ(body.at("data").at(1).at("object"), "embedding");
  EXPECT_EQ(body.at("data").at(1).at("index"), 1);
  EXPECT_EQ(body.at("usage").at("prompt_tokens"), n_say + 2);
  EXPECT_EQ(body.at("usage").at("total_tokens"), n_say + 2);
  EXPECT_EQ(engine.requests().at(0).prompt, demo_tokenizer().encode("Say", true));
}

TEST_F(Embeddings, AreOfLengthOneUnlessAskedOtherwise) {
  start();
  const auto unit = vector_of(R"("input":[300,301])");
  EXPECT_NEAR(std::hypot(unit[0], unit[1]), 1, 1e-6);
  EXPECT_NEAR(unit[1] / unit[0], 4.0 / 3, 1e-6);
  EXPECT_EQ(vector_of(R"("input":[300,301],"embd_normalize":-1)"), (std::vector<float>{3, 4, 0, 0}));
}

TEST_F(Embeddings, ArePooledAsAsked) {
  start();
  vector_of(R"("input":"a")");
  EXPECT_EQ(engine.requests().back().pooling, Pooling::mean);
  vector_of(R"("input":"a","pooling":"last")");
  EXPECT_EQ(engine.requests().back().pooling, Pooling::last);
  EXPECT_EQ(refused_field(R"("input":"a","pooling":"none")"), "pooling");
}

TEST_F(Embeddings, ComeAsBase64) {
  start();
  const auto numbers = vector_of(R"("input":[300,301,302])");
  const HttpAnswer answer = embed(R"("input":[300,301,302],"encoding_format":"base64")");
  EXPECT_EQ(answer.json().at("data").at(0).at("embedding"),
            json::string(server::base64(std::as_bytes(std::span(numbers)))));
}

TEST_F(Embeddings, WhatIsNotUnderstoodIsRefused) {
  start();
  EXPECT_EQ(refused_field(R"("model":"demo")"), "input");
  EXPECT_EQ(refused_field(R"("input":[])"), "input");
  EXPECT_EQ(refused_field(R"("input":{"content":"string"})"), "input.content");
  EXPECT_EQ(refused_field(R"("input":"a","encoding_format":"int8")"), "encoding_format");
  EXPECT_EQ(refused_field(R"("input":"a","dimensions":3)"), "dimensions");
  EXPECT_EQ(refused_field(R"("input":"a","embd_normalize":1)"), "embd_normalize");
  EXPECT_EQ(embed(R"("input":"a","dimensions":4)").status, 200u);
  EXPECT_EQ(error_code_of(embed(R"("input":"a","model":"other")")), "model_not_found");
}

TEST_F(Embeddings, AnInputLongerThanTheContextIsTooLarge) {
  engine.model_info.max_context = 3;
  start();
  EXPECT_EQ(embed(R"("input":[300,301,302])").status, 200u);
  const HttpAnswer answer = embed(R"("input":[300,301,302,303])");
  EXPECT_EQ(answer.status, 400u);
  EXPECT_EQ(error_code_of(answer), "context_length_exceeded");
  EXPECT_EQ(answer.json().at("error").at("n_prompt_tokens"), 4);
}

TEST_F(Embeddings, AFailureIsToldAndTheEngineIsLeftIdle) {
  engine.script = [](const GenerationRequest& request) {
    Script script;
    if (request.prompt.size() == 1) script.error = Error(ErrorKind::internal, "lost");
    return script;
  };
  start();
  EXPECT_EQ(embed(R"("input":[[300,301],[300]])").status, 500u);
  EXPECT_TRUE(engine.wait_until_idle(std::chrono::seconds(30)));
}

TEST_F(Embeddings, AnswersThatTheBudgetDoesNotHoldAre400) {
  options.max_request_bytes = 1 << 20;
  engine.model_info.hidden_size = 100000;
  start();
  const HttpAnswer answer = embed(R"("input":"a")");
  EXPECT_EQ(answer.status, 400u);
  EXPECT_EQ(error_code_of(answer), "memory_plan_exceeded");
  EXPECT_TRUE(engine.requests().empty());
}

TEST_F(Embeddings, LlamaCppsShapeHasAListOfVectors) {
  start();
  const HttpAnswer answer = HttpClient(port()).post("/embedding", R"({"content":[300,301],"embd_normalize":-1})");
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const json::value body = answer.json();
  ASSERT_EQ(body.as_array().size(), 1u);
  EXPECT_EQ(body.at(0).at("index"), 0);
  EXPECT_EQ(numbers_of(body.at(0).at("embedding").at(0)), (std::vector<float>{3, 4, 0, 0}));
}

TEST(Base64, PadsAsTheRfcHasIt) {
  const auto text = [](std::string_view bytes) {
    return server::base64(std::as_bytes(std::span(bytes.data(), bytes.size())));
  };
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("f"), "Zg==");
  EXPECT_EQ(text("fo"), "Zm8=");
  EXPECT_EQ(text("foo"), "Zm9v");
  EXPECT_EQ(text("foobar"), "Zm9vYmFy");
  EXPECT_EQ(text("\xff\xfe\xfb"), "//77");
}

}  // namespace
}  // namespace paro
