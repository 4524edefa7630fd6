#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;

constexpr std::string_view kTools = R"("tools":[{"type":"function","function":{"name":"add"}}])";

class ChatCompletions : public ServerTest {};

std::string joined(const std::vector<json::value>& chunks, std::string_view member) {
  std::string text;
  for (const json::value& chunk : chunks) {
    for (const json::value& choice : chunk.at("choices").as_array()) {
      const json::value* piece = choice.at("delta").as_object().if_contains(member);
      if (piece && piece->is_string()) text += piece->as_string();
    }
  }
  return text;
}

TEST_F(ChatCompletions, WholeAnswerHasTheSchemasMembersInOrder) {
  start();
  const HttpAnswer answer = chat();
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const json::value body = answer.json();
  std::string keys;
  for (const auto& member : body.as_object()) keys += std::string(member.key()) + " ";
  EXPECT_EQ(keys, "id object created model system_fingerprint choices usage timings ");
  EXPECT_TRUE(body.at("id").as_string().starts_with("chatcmpl-"));
  EXPECT_EQ(body.at("object"), "chat.completion");
  EXPECT_TRUE(body.at("created").is_int64());
  EXPECT_EQ(body.at("model"), "demo");
  const json::value& choice = body.at("choices").at(0);
  EXPECT_EQ(choice.at("index"), 0);
  EXPECT_EQ(choice.at("message").at("role"), "assistant");
  EXPECT_EQ(choice.at("message").at("content"), "Hello there.");
  EXPECT_TRUE(choice.at("logprobs").is_null());
  EXPECT_EQ(choice.at("finish_reason"), "stop");
}

TEST_F(ChatCompletions, PromptIsTheRenderedTemplateWithOneBos) {
  start();
  chat();
  const std::vector<int32_t> prompt = engine.requests().at(0).prompt;
  EXPECT_EQ(prompt, tokens_of("<bos><|turn>user\nHi<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"));
}

TEST_F(ChatCompletions, UsageCountsPromptAndAnswer) {
  start();
  const json::value body = chat().json();
  const auto n_prompt = static_cast<int64_t>(engine.requests().at(0).prompt.size());
  const auto n_answer = static_cast<int64_t>(tokens_of("Hello there.").size()) + 1;  // and the stop token
  EXPECT_EQ(body.at("usage").at("prompt_tokens"), n_prompt);
  EXPECT_EQ(body.at("usage").at("completion_tokens"), n_answer);
  EXPECT_EQ(body.at("usage").at("total_tokens"), n_prompt + n_answer);
  EXPECT_EQ(body.at("usage").at("prompt_tokens_details").at("cached_tokens"), 0);
  EXPECT_EQ(body.at("timings").at("predicted_n"), n_answer);
  EXPECT_EQ(body.at("timings").at("prompt_n"), n_prompt);
}

TEST_F(ChatCompletions, StreamGoesFromRoleOverContentToFinishAndDone) {
  start();
  const HttpAnswer answer = chat(R"("stream":true)");
  ASSERT_EQ(answer.status, 200u) << answer.body;
  EXPECT_EQ(answer.fields[boost::beast::http::field::content_type], "text/event-stream");
  const std::vector<json::value> chunks = answer.chunks();
  ASSERT_GE(chunks.size(), 3u);
  EXPECT_EQ(chunks.front().at("choices").at(0).at("delta"), (json::object{{"role", "assistant"}, {"content", ""}}));
  for (size_t i = 0; i < chunks.size(); ++i) {
    const json::value& choice = chunks[i].at("choices").at(0);
    EXPECT_EQ(chunks[i].at("object"), "chat.completion.chunk");
    EXPECT_EQ(chunks[i].at("id"), chunks[0].at("id"));
    const bool is_last = i + 1 == chunks.size();
    EXPECT_EQ(choice.at("finish_reason").is_null(), !is_last);
    if (i > 0 && !is_last) {
      EXPECT_EQ(choice.at("delta").as_object().size(), 1u);
      EXPECT_FALSE(choice.at("delta").at("content").as_string().empty());
    }
    EXPECT_FALSE(chunks[i].as_object().contains("usage"));
  }
  EXPECT_EQ(joined(chunks, "content"), "Hello there.");
  EXPECT_TRUE(chunks.back().at("choices").at(0).at("delta").as_object().empty());
  EXPECT_EQ(chunks.back().at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_TRUE(chunks.back().as_object().contains("timings"));
}

TEST_F(ChatCompletions, StreamEndsWithUsageWhenAskedFor) {
  start();
  const auto chunks = chat(R"("stream":true,"stream_options":{"include_usage":true})").chunks();
  EXPECT_TRUE(chunks.back().at("choices").as_array().empty());
  EXPECT_GT(chunks.back().at("usage").at("completion_tokens").as_int64(), 0);
  EXPECT_EQ(chunks[chunks.size() - 2].at("choices").at(0).at("finish_reason"), "stop");
}

TEST_F(ChatCompletions, SlowPrefillIsCoveredByKeepAliveComments) {
  options.ping_interval = std::chrono::milliseconds(20);
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = tokens_of("late"), .prefill = std::chrono::milliseconds(150)};
  };
  start();
  const HttpAnswer answer = chat(R"("stream":true)");
  EXPECT_NE(answer.body.find("\n\n: keep-alive\n\n"), std::string::npos);
  EXPECT_EQ(joined(answer.chunks(), "content"), "late");
}

TEST_F(ChatCompletions, TextThatIsHeldBackIsCoveredByKeepAliveComments) {
  options.ping_interval = std::chrono::milliseconds(30);
  engine.script = [](const GenerationRequest&) {
    return Script{.tokens = tokens_of("<|tool_call>call:add{a:1,b:[1,2,3,4,5,6,7,8,9,10]}<tool_call|>"),
                  .per_token = std::chrono::milliseconds(10)};
  };
  start();
  const HttpAnswer answer = chat(fmt::format(R"("stream":true,{})", kTools));
  EXPECT_NE(answer.body.find("\n\n: keep-alive\n\n"), std::string::npos) << answer.body;
  EXPECT_EQ(answer.chunks().back().at("choices").at(0).at("finish_reason"), "tool_calls");
}

TEST_F(ChatCompletions, TimingsAreOnTheLastChunkOnly) {
  start();
  for (const std::string_view members :
       {R"("n":3,"stream":true)", R"("n":3,"stream":true,"stream_options":{"include_usage":true})"}) {
    const auto chunks = chat(members).chunks();
    for (size_t i = 0; i < chunks.size(); ++i)
      EXPECT_EQ(chunks[i].as_object().contains("timings"), i + 1 == chunks.size()) << chunks[i];
  }
}

TEST_F(ChatCompletions, ThoughtsComeAsReasoningBeforeTheContent) {
  answer_with("<|channel>thought\nThis is simple.\n<channel|>It is 4.");
  start();
  const json::value body = chat(R"("chat_template_kwargs":{"enable_thinking":true})").json();
  const json::value& message = body.at("choices").at(0).at("message");
  EXPECT_EQ(message.at("reasoning_content"), "This is simple.");
  EXPECT_EQ(message.at("content"), "It is 4.");
  const int64_t n_thought = body.at("usage").at("completion_tokens_details").at("reasoning_tokens").as_int64();
  EXPECT_GE(n_thought, int64_t(tokens_of("This is simple.").size()));
  EXPECT_LE(n_thought, body.at("usage").at("completion_tokens").as_int64() - int64_t(tokens_of("It is 4.").size()));

  const auto chunks = chat(R"("stream":true)").chunks();
  EXPECT_EQ(joined(chunks, "reasoning_content"), "This is simple.");
  EXPECT_EQ(joined(chunks, "content"), "It is 4.");
}

TEST_F(ChatCompletions, ThinkingIsAskedForByKwargsOrEffort) {
  start();
  const std::vector<int32_t> header = tokens_of("<channel|>");
  const auto ends_open = [&](size_t request) { return engine.requests().at(request).prompt.back() != header.back(); };
  chat(R"("chat_template_kwargs":{"enable_thinking":true})");
  chat(R"("reasoning_effort":"high")");
  chat(R"("reasoning_effort":"none")");
  chat("");
  EXPECT_TRUE(ends_open(0));
  EXPECT_TRUE(ends_open(1));
  EXPECT_FALSE(ends_open(2));
  EXPECT_FALSE(ends_open(3));
}

TEST_F(ChatCompletions, ToolCallsAreParsed) {
  answer_with("<|tool_call>call:add{a:1,b:<|\"|>two<|\"|>}<tool_call|><|tool_call>call:now{}<tool_call|>");
  start();
  const json::value choice = chat(kTools).json().at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  EXPECT_TRUE(choice.at("message").at("content").is_null());
  const json::array& calls = choice.at("message").at("tool_calls").as_array();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_TRUE(calls[0].at("id").as_string().starts_with("call_"));
  EXPECT_NE(calls[0].at("id"), calls[1].at("id"));
  EXPECT_EQ(calls[0].at("type"), "function");
  EXPECT_EQ(calls[0].at("function"), (json::object{{"name", "add"}, {"arguments", R"({"a":1,"b":"two"})"}}));
  EXPECT_EQ(calls[1].at("function"), (json::object{{"name", "now"}, {"arguments", "{}"}}));
}

TEST_F(ChatCompletions, CallsThatEndWithoutTheirMarkerAreCallsIfComplete) {
  answer_with("<|tool_call>call:add{a:1}");
  start();
  const json::value choice = chat(kTools).json().at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
  EXPECT_EQ(choice.at("message").at("tool_calls").as_array().size(), 1u);
}

TEST_F(ChatCompletions, CallsThatTheLengthCutsEndWithItAndHaveJsonArguments) {
  for (const std::string_view before : {"", "<|tool_call>call:now{}<tool_call|>"}) {
    const std::string text = std::string(before) + "<|tool_call>call:add{a:<|\"|>x";
    const size_t n_tokens = tokens_of(text).size();
    engine.script = [=](const GenerationRequest&) { return Script{.tokens = tokens_of(text), .endless = true}; };
    if (before.empty()) start();
    const json::value choice = chat(fmt::format(R"("max_tokens":{},{})", n_tokens, kTools)).json().at("choices").at(0);
    EXPECT_EQ(choice.at("finish_reason"), "length");
    const json::array& calls = choice.at("message").at("tool_calls").as_array();
    EXPECT_EQ(calls.back().at("function"), (json::object{{"name", "add"}, {"arguments", R"({"a":"x"})"}}));
    EXPECT_EQ(choice.at("message").at("content"), nullptr);
  }
}

TEST_F(ChatCompletions, CallsAreTextWhereNoToolsWereOffered) {
  answer_with("<|tool_call>call:add{a:1}<tool_call|>");
  start();
  for (const std::string& members : {std::string(), fmt::format(R"("tool_choice":"none",{})", kTools)}) {
    const json::value choice = chat(members).json().at("choices").at(0);
    EXPECT_EQ(choice.at("finish_reason"), "stop");
    EXPECT_EQ(choice.at("message").at("content"), "call:add{a:1}");
    EXPECT_FALSE(choice.at("message").as_object().contains("tool_calls"));
  }
}

TEST_F(ChatCompletions, StreamedToolCallsNameIdOnceAndIndexAlways) {
  answer_with("So:<|tool_call>call:add{a:1}<tool_call|><|tool_call>call:now{}<tool_call|>");
  start();
  const auto chunks = chat(fmt::format(R"("stream":true,{})", kTools)).chunks();
  std::vector<std::string> names(2), ids(2), arguments(2);
  int64_t last_index = 0;
  for (const json::value& chunk : chunks) {
    const json::object& delta = chunk.at("choices").at(0).at("delta").as_object();
    const json::value* calls = delta.if_contains("tool_calls");
    if (calls == nullptr) continue;
    const json::object& call = calls->at(0).as_object();
    const int64_t index = call.at("index").as_int64();
    EXPECT_GE(index, last_index);
    last_index = index;
    const auto i = static_cast<size_t>(index);
    ASSERT_LT(i, 2u);
    EXPECT_EQ(call.contains("id"), ids[i].empty());
    EXPECT_EQ(call.at("function").as_object().contains("name"), names[i].empty());
    if (call.contains("id")) {
      ids[i] = call.at("id").as_string();
      names[i] = call.at("function").at("name").as_string();
      EXPECT_EQ(call.at("type"), "function");
    }
    arguments[i] += call.at("function").at("arguments").as_string();
  }
  EXPECT_EQ(names, (std::vector<std::string>{"add", "now"}));
  EXPECT_EQ(arguments, (std::vector<std::string>{R"({"a":1})", "{}"}));
  EXPECT_EQ(joined(chunks, "content"), "So:");
  EXPECT_EQ(chunks.back().at("choices").at(0).at("finish_reason"), "tool_calls");
}

TEST_F(ChatCompletions, StopStringsWorkAcrossTokensAndEndTheSequence) {
  engine.script = [](const GenerationRequest&) { return Script{.tokens = tokens_of("1, 2, 3, 4, "), .endless = true}; };
  start();
  for (const std::string_view members : {R"("stop":"2, 3")", R"("stop":["zz","2, 3"],"stream":true)"}) {
    const HttpAnswer answer = chat(members);
    if (answer.body.starts_with("data")) {
      EXPECT_EQ(joined(answer.chunks(), "content"), "1, ");
      EXPECT_EQ(answer.chunks().back().at("choices").at(0).at("finish_reason"), "stop");
    } else {
      EXPECT_EQ(answer.json().at("choices").at(0).at("message").at("content"), "1, ");
      EXPECT_EQ(answer.json().at("choices").at(0).at("finish_reason"), "stop");
    }
  }
  EXPECT_TRUE(engine.wait_until_idle(std::chrono::seconds(5)));
  EXPECT_EQ(engine.n_cancelled(), 2u);
}

TEST_F(ChatCompletions, TextThatOnlyBeginsAStopStringComesOut) {
  answer_with("ends with EN");
  start();
  EXPECT_EQ(joined(chat(R"("stop":"END","stream":true)").chunks(), "content"), "ends with EN");
}

TEST_F(ChatCompletions, CharactersAreNeverCutBetweenTokens) {
  const std::string text = "caf\xC3\xA9 \xF0\x9F\xA6\x86\xF0\x9F\x8E\x89!";
  answer_with(text);
  start();
  ASSERT_GT(tokens_of(text).size(), 8u);  // the emoji are spelled in bytes
  const HttpAnswer answer = chat(R"("stream":true)");
  EXPECT_EQ(joined(answer.chunks(), "content"), text);
  EXPECT_EQ(answer.body.find("\xEF\xBF\xBD"), std::string::npos);
}

TEST_F(ChatCompletions, SeveralChoicesHaveTheirIndicesAndSeeds) {
  start();
  const json::value body = chat(R"("n":2,"seed":7)").json();
  ASSERT_EQ(body.at("choices").as_array().size(), 2u);
  EXPECT_EQ(body.at("choices").at(1).at("index"), 1);
  EXPECT_EQ(engine.requests().at(0).sampling.seed, 7u);
  EXPECT_EQ(engine.requests().at(1).sampling.seed, 8u);
  const auto n_prompt = static_cast<int64_t>(engine.requests().at(0).prompt.size());
  EXPECT_EQ(body.at("usage").at("prompt_tokens"), n_prompt);
  EXPECT_EQ(body.at("usage").at("completion_tokens"), 2 * (static_cast<int64_t>(tokens_of("Hello there.").size()) + 1));

  const auto chunks = chat(R"("n":2,"stream":true)").chunks();
  int n_roles = 0, n_ends = 0;
  std::array<std::string, 2> texts;
  for (const json::value& chunk : chunks) {
    const json::value& choice = chunk.at("choices").at(0);
    const json::object& delta = choice.at("delta").as_object();
    n_roles += delta.contains("role");
    n_ends += !choice.at("finish_reason").is_null();
    if (const json::value* text = delta.if_contains("content"))
      texts.at(static_cast<size_t>(choice.at("index").as_int64())) += text->as_string();
  }
  EXPECT_EQ(n_roles, 2);
  EXPECT_EQ(n_ends, 2);
  EXPECT_EQ(texts[0], "Hello there.");
  EXPECT_EQ(texts[1], "Hello there.");
}

TEST_F(ChatCompletions, LogprobsCoverEveryTokenWholeAndStreamed) {
  start();
  const json::value body = chat(R"("logprobs":true,"top_logprobs":2)").json();
  const json::array& content = body.at("choices").at(0).at("logprobs").at("content").as_array();
  const std::vector<int32_t> tokens = tokens_of("Hello there.");
  ASSERT_EQ(content.size(), tokens.size());
  std::string text;
  for (const json::value& entry : content) {
    for (const json::value& byte : entry.at("bytes").as_array()) text += static_cast<char>(byte.as_int64());
    EXPECT_EQ(entry.at("logprob").to_number<double>(), -0.5);
    EXPECT_EQ(entry.at("top_logprobs").as_array().size(), 2u);
  }
  EXPECT_EQ(text, "Hello there.");

  size_t n_streamed = 0;
  for (const json::value& chunk : chat(R"("logprobs":true,"stream":true)").chunks()) {
    const json::value& logprobs = chunk.at("choices").at(0).at("logprobs");
    if (!logprobs.is_null()) n_streamed += logprobs.at("content").as_array().size();
  }
  EXPECT_EQ(n_streamed, tokens.size());
}

TEST_F(ChatCompletions, LogprobsOfAStopStringAreLeftOut) {
  answer_with("1, 2, 3, 4");
  start();
  const json::value choice = chat(R"("logprobs":true,"stop":" 3")").json().at("choices").at(0);
  EXPECT_EQ(choice.at("message").at("content"), "1, 2,");
  EXPECT_EQ(choice.at("logprobs").at("content").as_array().size(), tokens_of("1, 2,").size());
}

TEST_F(ChatCompletions, LengthEndsAtMaxTokensWhateverItsName) {
  start();
  for (const std::string_view members : {R"("max_tokens":1)", R"("max_completion_tokens":1)"}) {
    const json::value body = chat(members).json();
    EXPECT_EQ(body.at("choices").at(0).at("finish_reason"), "length");
    EXPECT_EQ(body.at("usage").at("completion_tokens"), 1);
  }
}

TEST_F(ChatCompletions, MaxTokensDefaultsToWhatTheContextLeaves) {
  start();
  chat();
  const GenerationRequest request = engine.requests().at(0);
  EXPECT_EQ(request.max_tokens, 512 - static_cast<int>(request.prompt.size()));
}

TEST_F(ChatCompletions, SamplingComesFromTheRequestThenTheServerThenTheModel) {
  engine.model_info.default_sampling.temperature = 0.25f;
  engine.model_info.default_sampling.top_k = 64;
  engine.model_info.stop_tokens = {1, 106};
  options.top_k = 20;
  start();
  chat(R"("top_p":0.5,"min_p":0.125,"presence_penalty":1,"frequency_penalty":-1,"repetition_penalty":1.5,
          "logit_bias":{"5":-100},"user":"me","store":false,"metadata":{},"parallel_tool_calls":true,
          "response_format":{"type":"text"},"tools":[],"stream_options":null,"stop":null)");
  const GenerationRequest request = engine.requests().at(0);
  EXPECT_EQ(request.sampling.temperature, 0.25f);
  EXPECT_EQ(request.sampling.top_k, 20);
  EXPECT_EQ(request.sampling.top_p, 0.5f);
  EXPECT_EQ(request.sampling.min_p, 0.125f);
  EXPECT_EQ(request.sampling.presence_penalty, 1.0f);
  EXPECT_EQ(request.sampling.frequency_penalty, -1.0f);
  EXPECT_EQ(request.sampling.repetition_penalty, 1.5f);
  ASSERT_EQ(request.sampling.logit_bias.size(), 1u);
  EXPECT_EQ(request.sampling.logit_bias[0], (std::pair<int32_t, float>(5, -100.0f)));
  EXPECT_EQ(request.stop_tokens, (std::vector<int32_t>{1, 106}));

  chat(R"("temperature":0,"top_k":-1,"ignore_eos":true)");
  EXPECT_EQ(engine.requests().at(1).sampling.temperature, 0.0f);
  EXPECT_EQ(engine.requests().at(1).sampling.top_k, 0);
  EXPECT_TRUE(engine.requests().at(1).stop_tokens.empty());
}

TEST_F(ChatCompletions, TextPartsAndDeveloperMessagesAreRead) {
  start();
  HttpClient client(port());
  const HttpAnswer answer = client.post("/chat/completions/", R"({"messages":[
    {"role":"developer","content":"Be brief."},
    {"role":"user","content":[{"type":"text","text":"Hi"}]},
    {"role":"assistant","content":"Hello"},
    {"role":"user","content":"Hi"}]})");
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const std::string prompt = demo_tokenizer().decode(engine.requests().at(0).prompt, false);
  EXPECT_NE(prompt.find("<|turn>system\nBe brief."), std::string::npos) << prompt;
  EXPECT_NE(prompt.find("<|turn>user\nHi<turn|>"), std::string::npos) << prompt;
}

}  // namespace
}  // namespace paro
