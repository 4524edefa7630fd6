#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;

class Completions : public ServerTest {};

TEST_F(Completions, AnswersAStringPrompt) {
  start();
  const HttpAnswer answer = complete(R"("prompt":"Say")");
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const json::value body = answer.json();
  EXPECT_TRUE(body.at("id").as_string().starts_with("cmpl-"));
  EXPECT_EQ(body.at("object"), "text_completion");
  EXPECT_EQ(body.at("choices").at(0).at("text"), "Hello there.");
  EXPECT_EQ(body.at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_EQ(engine.requests().at(0).prompt, demo_tokenizer().encode("Say", true));
}

TEST_F(Completions, TakesListsOfStringsAndOfIds) {
  start();
  EXPECT_EQ(complete(R"("prompt":["a","b"],"n":2)").json().at("choices").as_array().size(), 4u);
  EXPECT_EQ(complete(R"("prompt":[5,6,7])").json().at("choices").as_array().size(), 1u);
  EXPECT_EQ(complete(R"("prompt":[[5,6],[7]])").json().at("choices").as_array().size(), 2u);
  const auto requests = engine.requests();
  ASSERT_EQ(requests.size(), 7u);
  EXPECT_EQ(requests[0].prompt, requests[1].prompt);
  EXPECT_EQ(requests[4].prompt, (std::vector<int32_t>{5, 6, 7}));
  EXPECT_EQ(requests[6].prompt, (std::vector<int32_t>{7}));
}

TEST_F(Completions, UsageCountsEachPromptOnce) {
  start();
  const json::value usage = complete(R"("prompt":[[5,6],[7]],"n":3,"max_tokens":2)").json().at("usage");
  EXPECT_EQ(usage.at("prompt_tokens"), 3);
  EXPECT_EQ(usage.at("completion_tokens"), 12);
}

TEST_F(Completions, EchoPutsThePromptFirst) {
  start();
  EXPECT_EQ(complete(R"("prompt":"Say ","echo":true)").json().at("choices").at(0).at("text"), "Say Hello there.");
  std::string text;
  for (const json::value& chunk : complete(R"("prompt":"Say ","echo":true,"stream":true)").chunks())
    text += chunk.at("choices").at(0).at("text").as_string();
  EXPECT_EQ(text, "Say Hello there.");
}

TEST_F(Completions, StreamEndsWithReasonUsageAndDone) {
  start();
  const auto chunks = complete(R"("prompt":"Say","stream":true,"stream_options":{"include_usage":true})").chunks();
  ASSERT_GE(chunks.size(), 3u);
  EXPECT_TRUE(chunks.back().at("choices").as_array().empty());
  EXPECT_EQ(chunks[chunks.size() - 2].at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_EQ(chunks[0].at("object"), "text_completion");
}

TEST_F(Completions, LogprobsAreParallelArraysWithOffsets) {
  answer_with("h\xC3\xA9 you");
  start();
  const json::value logprobs = complete(R"("prompt":"Say","logprobs":1)").json().at("choices").at(0).at("logprobs");
  const size_t n = tokens_of("h\xC3\xA9 you").size();
  ASSERT_EQ(logprobs.at("tokens").as_array().size(), n);
  ASSERT_EQ(logprobs.at("token_logprobs").as_array().size(), n);
  ASSERT_EQ(logprobs.at("top_logprobs").as_array().size(), n);
  ASSERT_EQ(logprobs.at("text_offset").as_array().size(), n);
  EXPECT_EQ(logprobs.at("text_offset").at(0), 0);
  EXPECT_EQ(logprobs.at("top_logprobs").at(0).as_object().size(), 1u);
  ASSERT_GT(n, 3u);
  const std::string last(logprobs.at("tokens").as_array().back().as_string());
  EXPECT_EQ(logprobs.at("text_offset").as_array().back(), 6 - static_cast<int64_t>(last.size()));
}

TEST_F(Completions, RefusesWhatItCannotDo) {
  start();
  const auto param = [&](std::string_view members) {
    const HttpAnswer answer = complete(members);
    EXPECT_EQ(answer.status, 400u) << members;
    return error_param_of(answer);
  };
  EXPECT_EQ(param(R"("prompt":"a","suffix":"b")"), "suffix");
  EXPECT_EQ(param(R"("prompt":"a","echo":true,"logprobs":0)"), "echo");
  EXPECT_EQ(param(R"("prompt":"a","best_of":2)"), "best_of");
  EXPECT_EQ(param(R"("prompt":[])"), "prompt");
  EXPECT_EQ(param(R"("prompt":[[]])"), "prompt");
  EXPECT_EQ(param(R"("prompt":[1,"a"])"), "prompt");
  EXPECT_EQ(param(R"("prompt":[-1])"), "prompt");
  EXPECT_EQ(param(R"("prompt":[999999999])"), "prompt");
  EXPECT_EQ(param(R"("prompt":{})"), "prompt");
  EXPECT_EQ(param(R"("n":1)"), "prompt");
}

}  // namespace
}  // namespace paro
