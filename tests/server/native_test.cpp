// /completion, /props and /slots as llama.cpp's tools use them.
#include <algorithm>
#include <cmath>

#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;

class Native : public ServerTest {
 protected:
  HttpAnswer native(const std::string& members) { return HttpClient(port()).post("/completion", "{" + members + "}"); }

  // The objects of a stream, which ends without [DONE].
  std::vector<json::value> stream(const std::string& members) {
    std::vector<json::value> objects;
    for (const std::string& event : native(members + R"(,"stream":true)").events()) {
      HttpAnswer one;
      one.body = event;
      objects.push_back(one.json());
    }
    return objects;
  }

  SamplingOptions sampling_of(const std::string& members) {
    const HttpAnswer answer = native(R"("prompt":"a",)" + members);
    EXPECT_EQ(answer.status, 200u) << answer.body;
    return engine.requests().back().sampling;
  }

  std::string refused_field(const std::string& members) {
    const HttpAnswer answer = native(R"("prompt":"a",)" + members);
    EXPECT_EQ(answer.status, 400u) << members << " " << answer.body;
    return answer.status == 400 ? error_param_of(answer) : "";
  }
};

TEST_F(Native, AnswersOneFlatObject) {
  start();
  const HttpAnswer answer = native(R"("prompt":"Say","n_predict":20)");
  ASSERT_EQ(answer.status, 200u) << answer.body;
  const json::value body = answer.json();
  const auto n_prompt = static_cast<int64_t>(demo_tokenizer().encode("Say", true).size());
  const auto n_answer = static_cast<int64_t>(tokens_of("Hello there.").size());
  EXPECT_EQ(body.at("content"), "Hello there.");
  EXPECT_EQ(body.at("stop"), true);
  EXPECT_EQ(body.at("stop_type"), "eos");
  EXPECT_EQ(body.at("stopping_word"), "");
  EXPECT_EQ(body.at("model"), "demo");
  EXPECT_EQ(body.at("index"), 0);
  EXPECT_EQ(body.at("tokens").as_array().size(), 0u);
  EXPECT_EQ(body.at("tokens_evaluated"), n_prompt);
  EXPECT_EQ(body.at("tokens_predicted"), n_answer + 1);
  EXPECT_EQ(body.at("tokens_cached"), n_prompt + n_answer + 1);
  EXPECT_EQ(body.at("truncated"), false);
  EXPECT_EQ(body.at("has_new_line"), false);
  EXPECT_EQ(body.at("prompt"), "<bos>Say");
  EXPECT_EQ(body.at("generation_settings").at("n_predict"), 20);
  EXPECT_EQ(body.at("timings").at("prompt_n"), n_prompt);
  EXPECT_FALSE(body.as_object().contains("completion_probabilities"));
}

TEST_F(Native, StreamEndsWithItsLastObject) {
  answer_with("a\nb");
  start();
  const auto objects = stream(R"("prompt":"Say","return_tokens":false)");
  std::string text;
  std::vector<int64_t> ids;
  for (size_t i = 0; i + 1 < objects.size(); ++i) {
    EXPECT_EQ(objects[i].at("stop"), false);
    EXPECT_FALSE(objects[i].as_object().contains("generation_settings"));
    text += objects[i].at("content").as_string();
    for (const json::value& id : objects[i].at("tokens").as_array()) ids.push_back(id.as_int64());
  }
  const auto expected = tokens_of("a\nb");
  EXPECT_EQ(text, "a\nb");
  EXPECT_EQ(ids, std::vector<int64_t>(expected.begin(), expected.end()));
  EXPECT_EQ(objects.back().at("stop"), true);
  EXPECT_EQ(objects.back().at("content"), "");
  EXPECT_EQ(objects.back().at("has_new_line"), true);
  EXPECT_TRUE(objects.back().as_object().contains("generation_settings"));
}

TEST_F(Native, AStopWordIsNamed) {
  answer_with("one two three");
  start();
  const json::value body = native(R"("prompt":"x","stop":["three"," two"])").json();
  EXPECT_EQ(body.at("content"), "one");
  EXPECT_EQ(body.at("stop_type"), "word");
  EXPECT_EQ(body.at("stopping_word"), " two");
}

TEST_F(Native, APromptIsTextTokensOrBothAndAListIsAnsweredByAList) {
  start();
  const auto prompt_of = [&](const std::string& prompt) {
    const HttpAnswer answer = native("\"prompt\":" + prompt);
    EXPECT_EQ(answer.status, 200u) << prompt << answer.body;
    EXPECT_TRUE(answer.json().is_object()) << prompt;
    return engine.requests().back().prompt;
  };
  const auto say = demo_tokenizer().encode("Say", true), say_inside = demo_tokenizer().encode("Say", false);
  EXPECT_EQ(prompt_of(R"("Say")"), say);
  EXPECT_EQ(prompt_of(R"([300,301])"), (std::vector<int32_t>{300, 301}));
  EXPECT_EQ(prompt_of(R"({"prompt_string":"Say"})"), say);
  EXPECT_EQ(prompt_of(R"({"content":[{"type":"text","text":"S"},{"type":"text","text":"ay"}]})"), say);
  std::vector<int32_t> mixed{300};
  mixed.insert(mixed.end(), say_inside.begin(), say_inside.end());
  EXPECT_EQ(prompt_of(R"([300,"Say"])"), mixed);
  mixed = say;
  mixed.push_back(300);
  EXPECT_EQ(prompt_of(R"(["Say",300])"), mixed);

  const json::value list = native(R"("prompt":["Say",[300,301],{"prompt_string":"Say"}])").json();
  ASSERT_TRUE(list.is_array());
  ASSERT_EQ(list.as_array().size(), 3u);
  EXPECT_EQ(list.at(1).at("index"), 1);
  EXPECT_EQ(list.at(1).at("tokens_evaluated"), 2);
  EXPECT_EQ(native(R"("prompt":["Say"])").json().as_array().size(), 1u);
  EXPECT_EQ(native(R"("prompt":"Say","n_cmpl":2)").json().as_array().size(), 2u);
}

TEST_F(Native, PromptsThatAreNoneAreRefused) {
  start();
  for (const std::string prompt :
       {"[]", "7", "true", "[[]]", "[[true]]", "{}", R"({"prompt_string":3})", R"({"content":"Say"})", "[9999999]",
        R"({"content":[{"type":"image_url"}]})", R"({"prompt_string":"a","multimodal_data":["xx"]})", "[-1]"}) {
    const HttpAnswer answer = native("\"prompt\":" + prompt);
    EXPECT_EQ(answer.status, 400u) << prompt << answer.body;
    EXPECT_TRUE(error_param_of(answer).starts_with("prompt")) << prompt;
  }
  EXPECT_EQ(error_param_of(native(R"("n_predict":3)")), "prompt");
}

TEST_F(Native, AnAnswerEndsWhereTheContextDoes) {
  engine.model_info.max_context = 40;
  engine.script = [](const GenerationRequest&) { return Script{.tokens = tokens_of("a"), .endless = true}; };
  start();
  for (const std::string n : {"1000", "-1", "-2"}) {
    const json::value body = native("\"prompt\":[300,301],\"n_predict\":" + n).json();
    EXPECT_EQ(body.at("tokens_predicted"), 38) << n;
    EXPECT_EQ(body.at("truncated"), true);
    EXPECT_EQ(body.at("stop_type"), "limit");
  }
  const json::value within = native(R"("prompt":[300,301],"n_predict":5)").json();
  EXPECT_EQ(within.at("truncated"), false);
  EXPECT_EQ(within.at("stop_type"), "limit");
  const HttpAnswer too_long = native(R"("prompt":")" + std::string(400, 'x') + R"(")");
  EXPECT_EQ(error_code_of(too_long), "context_length_exceeded");
  EXPECT_NE(too_long.body.find("exceeds the available context size"), std::string::npos);
}

TEST_F(Native, SamplingFieldsHaveLlamaCppsNamesAndMeaning) {
  start();
  SamplingOptions s = sampling_of(R"("temperature":0.5,"top_k":-1,"top_p":1.5,"min_p":0.1,"repeat_penalty":1.5,
      "repeat_last_n":16,"presence_penalty":3,"frequency_penalty":-3,"seed":7)");
  EXPECT_EQ(s.temperature, 0.5f);
  EXPECT_EQ(s.top_k, 0);
  EXPECT_EQ(s.top_p, 1.0f);
  EXPECT_EQ(s.min_p, 0.1f);
  EXPECT_EQ(s.repetition_penalty, 1.5f);
  EXPECT_EQ(s.penalty_window, 16);
  EXPECT_EQ(s.presence_penalty, 3.0f);
  EXPECT_EQ(s.frequency_penalty, -3.0f);
  EXPECT_EQ(s.seed, 7u);
  EXPECT_TRUE(s.temperature_last);
  EXPECT_EQ(sampling_of(R"("temperature":-1)").temperature, 0.0f);
  EXPECT_EQ(sampling_of(R"("repeat_last_n":-1)").penalty_window, 512);
  EXPECT_EQ(sampling_of(R"("seed":-1)").seed, std::nullopt);
  EXPECT_EQ(sampling_of(R"("seed":4294967295)").seed, std::nullopt);
  EXPECT_TRUE(engine.requests().back().cache_prompt);
  sampling_of(R"("cache_prompt":false)");
  EXPECT_FALSE(engine.requests().back().cache_prompt);
}

TEST_F(Native, SamplersThatAreLeftOutAreOff) {
  start();
  SamplingOptions s = sampling_of(R"("samplers":["top_k"],"top_p":0.5,"min_p":0.2,"temperature":0.3,"top_k":9,
      "repeat_penalty":2)");
  EXPECT_EQ(s.top_k, 9);
  EXPECT_EQ(s.top_p, 1.0f);
  EXPECT_EQ(s.min_p, 0.0f);
  EXPECT_EQ(s.temperature, 1.0f);
  EXPECT_EQ(s.repetition_penalty, 1.0f);
  EXPECT_TRUE(
      sampling_of(R"("samplers":["dry","top_k","typ_p","top_p","min_p","xtc","temperature"])").temperature_last);
  EXPECT_FALSE(sampling_of(R"("samplers":["temperature","top_k","top_p"])").temperature_last);
  EXPECT_FALSE(sampling_of(R"("samplers":["top_k","temperature","min_p"])").temperature_last);
  for (const std::string order : {R"(["top_p","top_k"])", R"(["top_p","temperature","min_p"])", R"(["top_k","top_k"])",
                                  R"(["unheard_of"])", R"("top_k")", "[3]"})
    EXPECT_EQ(refused_field("\"samplers\":" + order), "samplers") << order;
}

TEST_F(Native, SamplersThatAreNotThereAreRefusedWhenTheyWouldChangeTheAnswer) {
  start();
  for (const auto& [field, off, on] :
       std::vector<std::tuple<std::string, std::string, std::string>>{{"typical_p", "1.0", "0.5"},
                                                                      {"dry_multiplier", "0", "0.8"},
                                                                      {"xtc_probability", "0", "0.5"},
                                                                      {"mirostat", "0", "2"},
                                                                      {"dynatemp_range", "0", "0.5"},
                                                                      {"top_n_sigma", "-1", "1"},
                                                                      {"adaptive_target", "-1", "0.5"},
                                                                      {"min_keep", "0", "5"},
                                                                      {"n_indent", "0", "4"},
                                                                      {"t_max_predict_ms", "0", "100"},
                                                                      {"lora", "[]", R"([{"id":0,"scale":1}])"}}) {
    EXPECT_EQ(native(R"("prompt":"a",")" + field + "\":" + off).status, 200u) << field;
    EXPECT_EQ(refused_field("\"" + field + "\":" + on), field);
  }
  EXPECT_EQ(refused_field(R"("n_predict":0)"), "n_predict");
  EXPECT_EQ(native(R"("prompt":"a","cache_prompt":false,"id_slot":3,"n_keep":5,"mirostat_tau":5)").status, 200u);
}

TEST_F(Native, AnAnswerIsHeldToAGrammarOrASchema) {
  start();
  EXPECT_EQ(native(R"("prompt":"a","grammar":"")").status, 200u);
  EXPECT_EQ(engine.requests().back().constraint, nullptr);
  EXPECT_EQ(native(R"("prompt":"a","grammar":"root ::= \"a\"")").status, 200u);
  EXPECT_NE(engine.requests().back().constraint, nullptr);
  EXPECT_EQ(native(R"("prompt":"a","json_schema":{"const":42})").status, 200u);
  EXPECT_NE(engine.requests().back().constraint, nullptr);
  EXPECT_EQ(refused_field(R"("grammar":"root ::= this is (not GBNF")"), "grammar");
  EXPECT_EQ(refused_field(R"("json_schema":3)"), "json_schema");
}

TEST_F(Native, BiasNamesTokensByIdOrText) {
  engine.model_info.stop_tokens = {1, 106};
  start();
  const auto bias_of = [&](const std::string& members) { return sampling_of(members).logit_bias; };
  const auto words = tokens_of("Hello there");
  std::vector<std::pair<int32_t, float>> expected{{300, 1.5f}, {301, -1e6f}};
  for (const int32_t id : words) expected.emplace_back(id, -2.0f);
  EXPECT_EQ(bias_of(R"("logit_bias":[[300,1.5],[301,false],["Hello there",-2]])"), expected);
  EXPECT_EQ(bias_of(R"("logit_bias":{"300":1.5,"301":false,"Hello there":-2})"), expected);
  EXPECT_TRUE(bias_of(R"("logit_bias":[])").empty());
  for (const std::string bias : {"3", "[3]", "[[3]]", R"([["a","b"]])", "[[-1,1]]", "[[99999999,1]]", "[[true,1]]",
                                 "[[3,true]]", R"({"99999999":1})"})
    EXPECT_EQ(refused_field("\"logit_bias\":" + bias), "logit_bias") << bias;

  const json::value body = native(R"("prompt":"a","ignore_eos":true)").json();
  EXPECT_TRUE(engine.requests().back().stop_tokens.empty());
  const json::array& told = body.at("generation_settings").at("logit_bias").as_array();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1].at("token"), 106);
  EXPECT_TRUE(told[1].at("bias").is_null());
}

TEST_F(Native, ProbabilitiesOfTheModelOrAsDrawn) {
  answer_with("Hi you");
  start();
  const json::value body = native(R"("prompt":"a","n_probs":3)").json();
  const json::array& tokens = body.at("completion_probabilities").as_array();
  ASSERT_EQ(tokens.size(), tokens_of("Hi you").size());
  EXPECT_EQ(tokens[0].at("id"), tokens_of("Hi you")[0]);
  EXPECT_EQ(tokens[0].at("logprob"), -0.5);
  EXPECT_EQ(tokens[0].at("top_logprobs").as_array().size(), 3u);
  EXPECT_TRUE(tokens[0].at("bytes").is_array());

  const json::value drawn = native(R"("prompt":"a","n_probs":3,"post_sampling_probs":true)").json();
  EXPECT_TRUE(engine.requests().back().sampling.logprobs_as_drawn);
  const json::value& first = drawn.at("completion_probabilities").at(0);
  EXPECT_NEAR(first.at("prob").as_double(), std::exp(-0.5), 1e-6);
  EXPECT_NEAR(first.at("top_probs").at(1).at("prob").as_double(), std::exp(-1.0), 1e-6);
  EXPECT_FALSE(first.as_object().contains("logprob"));

  const auto objects = stream(R"("prompt":"a","n_probs":2)");
  for (size_t i = 0; i + 1 < objects.size(); ++i)
    EXPECT_EQ(objects[i].at("completion_probabilities").as_array().size(), 1u);
}

TEST_F(Native, ReturnTokensAndResponseFields) {
  start();
  const json::value ids = native(R"("prompt":"a","return_tokens":true)").json().at("tokens");
  EXPECT_EQ(ids.as_array().size(), tokens_of("Hello there.").size());
  const json::object few = native(R"("prompt":"a","n_predict":9,
      "response_fields":["content","generation_settings/n_predict","nothing","content/x"])")
                               .json()
                               .as_object();
  EXPECT_EQ(few, (json::object{{"content", "Hello there."}, {"generation_settings/n_predict", 9}}));
}

TEST_F(Native, ProgressAndTimingsAreToldWhileItRuns) {
  start();
  const auto objects = stream(R"("prompt":[300,301,302,303],"return_progress":true,"timings_per_token":true)");
  std::vector<int64_t> processed;
  for (const json::value& object : objects) {
    if (!object.as_object().contains("prompt_progress")) continue;
    const json::value& progress = object.at("prompt_progress");
    EXPECT_EQ(progress.at("total"), 4);
    EXPECT_EQ(progress.at("cache"), 0);
    processed.push_back(progress.at("processed").as_int64());
    EXPECT_EQ(object.at("timings").at("prompt_n"), processed.back());
    EXPECT_EQ(object.at("timings").at("predicted_n"), 0);
  }
  EXPECT_EQ(processed, (std::vector<int64_t>{0, 2, 4}));
  EXPECT_EQ(objects[3].at("timings").at("predicted_n"), 1);
  EXPECT_EQ(objects[3].at("tokens_predicted"), 1);
}

TEST_F(Native, ChatStreamsTellProgressAndTimingsToo) {
  start();
  const auto chunks = chat(R"("stream":true,"return_progress":true,"timings_per_token":true)").chunks();
  EXPECT_FALSE(chunks[0].as_object().contains("timings"));
  const json::value& last = chunks[3].at("prompt_progress");
  EXPECT_EQ(chunks[1].at("prompt_progress").at("processed"), 0);
  EXPECT_EQ(last.at("processed"), last.at("total"));
  EXPECT_EQ(chunks[3].at("choices").at(0).at("delta").as_object().size(), 0u);
  EXPECT_EQ(chunks[4].at("timings").at("predicted_n"), 1);
  for (const json::value& chunk : chat(R"("stream":true)").chunks())
    EXPECT_FALSE(chunk.as_object().contains("prompt_progress"));
}

TEST_F(Native, VerboseTellsThePrompt) {
  start();
  const json::value body = chat(R"("verbose":true)").json();
  EXPECT_TRUE(body.at("__verbose").at("prompt").as_string().starts_with("<bos><|turn>user\nHi"));
  EXPECT_FALSE(chat().json().as_object().contains("__verbose"));
  EXPECT_TRUE(chat(R"("verbose":true,"stream":true)").chunks().back().as_object().contains("__verbose"));
}

TEST_F(Native, PropsTellWhatIsServed) {
  options.seed = 42;
  start();
  const json::value props = HttpClient(port()).get("/props").json();
  EXPECT_EQ(props.at("total_slots"), 4);
  EXPECT_EQ(props.at("default_generation_settings").at("n_ctx"), 512);
  EXPECT_EQ(props.at("default_generation_settings").at("params").at("seed"), 42);
  EXPECT_EQ(props.at("model_alias"), "demo");
  EXPECT_EQ(props.at("model_path"), "demo-directory");
  EXPECT_EQ(props.at("chat_template"), "{{ messages }}");
  EXPECT_EQ(props.at("bos_token"), "<bos>");
  EXPECT_EQ(props.at("modalities").at("vision"), false);
  EXPECT_TRUE(props.at("build_info").as_string().starts_with("paro-"));
}

TEST_F(Native, SlotsTellWhichAreAtWork) {
  engine.script = [](const GenerationRequest&) { return Script{.tokens = tokens_of("a"), .endless = true}; };
  engine.model_info.max_context = 100000;
  start();
  const auto busy = [&] {
    const json::value slots = HttpClient(port()).get("/slots").json();
    int n = 0;
    for (const json::value& slot : slots.as_array()) n += slot.at("is_processing") == true;
    return n;
  };
  EXPECT_EQ(HttpClient(port()).get("/slots").json().as_array().size(), 4u);
  EXPECT_EQ(busy(), 0);
  EXPECT_EQ(HttpClient(port()).get("/slots?fail_on_no_slot=1").status, 200u);
  HttpClient client(port());
  const std::string body = R"({"prompt":"a","n":4})";
  client.write("POST /completion HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);
  ASSERT_TRUE(engine.wait_for_requests(4, std::chrono::seconds(30)));
  EXPECT_EQ(busy(), 4);
  const json::value slot = HttpClient(port()).get("/slots").json().at(0);
  EXPECT_EQ(slot.at("n_prompt_tokens"), static_cast<int64_t>(demo_tokenizer().encode("a", true).size()));
  EXPECT_EQ(
      slot.at("next_token").at(0).at("n_remain").as_int64() + slot.at("next_token").at(0).at("n_decoded").as_int64(),
      100000 - slot.at("n_prompt_tokens").as_int64());
  EXPECT_EQ(HttpClient(port()).get("/slots").status, 200u);
  EXPECT_EQ(HttpClient(port()).get("/slots?fail_on_no_slot=1").status, 503u);
  client.close();
  ASSERT_TRUE(engine.wait_until_idle(std::chrono::seconds(30)));
  EXPECT_EQ(busy(), 0);
}

TEST_F(Native, AnyModelsNameIsTakenWhenAskedFor) {
  options.any_model = true;
  start();
  EXPECT_EQ(native(R"("prompt":"a","model":"gpt-4")").status, 200u);
  EXPECT_EQ(chat(R"("model":"gpt-4")").json().at("model"), "demo");
}

class Prefill : public ServerTest {
 protected:
  HttpAnswer ask(const std::string& messages, const std::string& members = "") {
    return HttpClient(port()).post("/v1/chat/completions", R"({"messages":[)" + messages + "]" + members + "}");
  }
  std::string prompt() { return demo_tokenizer().decode(engine.requests().back().prompt, false); }

  const std::string user = R"({"role":"user","content":"Hi"})";
  const std::string begun = R"(,{"role":"assistant","content":"Well"})";
};

TEST_F(Prefill, ALastMessageOfTheAssistantIsContinued) {
  start();
  EXPECT_EQ(ask(user).status, 200u);
  const std::string asked = prompt();
  const HttpAnswer answer = ask(user + begun);
  ASSERT_EQ(answer.status, 200u) << answer.body;
  EXPECT_EQ(prompt(), asked + "Well");
  EXPECT_EQ(answer.json().at("choices").at(0).at("message").at("content"), "Hello there.");
  EXPECT_EQ(ask(user + begun, R"(,"continue_final_message":true,"add_generation_prompt":false)").status, 200u);
  EXPECT_EQ(prompt(), asked + "Well");
  ask(user + R"(,{"role":"assistant","content":[{"type":"text","text":"We"},{"type":"text","text":"ll"}]})");
  EXPECT_EQ(prompt(), asked + "Well");
}

TEST_F(Prefill, IsAMessageLikeOthersWhenTheRequestSaysSo) {
  start();
  EXPECT_EQ(ask(user + begun, R"(,"continue_final_message":false)").status, 200u);
  EXPECT_NE(prompt().find("Well<turn|>"), std::string::npos) << prompt();
  EXPECT_EQ(ask(user + begun, R"(,"add_generation_prompt":false)").status, 200u);
  EXPECT_NE(prompt().find("Well<turn|>"), std::string::npos) << prompt();
}

TEST_F(Prefill, ThatCannotBeContinuedIsRefused) {
  start();
  const auto refused = [&](const std::string& messages, const std::string& members) {
    const HttpAnswer answer = ask(messages, members);
    EXPECT_EQ(answer.status, 400u) << answer.body;
    return answer.status == 400 ? error_param_of(answer) : "";
  };
  EXPECT_EQ(refused(user + begun + begun, ""), "messages");
  EXPECT_EQ(refused(user + begun, R"(,"chat_template_kwargs":{"enable_thinking":true})"), "messages");
  EXPECT_EQ(refused(R"({"role":"assistant","content":"Well"})", ""), "messages");
  EXPECT_EQ(refused(user, R"(,"continue_final_message":true)"), "continue_final_message");
  EXPECT_EQ(refused(user + begun, R"(,"continue_final_message":true,"add_generation_prompt":true)"),
            "continue_final_message");
}

TEST_F(Prefill, InputTokensAreThoseOfTheChat) {
  start();
  const HttpAnswer counted =
      HttpClient(port()).post("/v1/chat/completions/input_tokens", R"({"messages":[)" + user + "]}");
  ASSERT_EQ(counted.status, 200u) << counted.body;
  EXPECT_EQ(counted.json().at("input_tokens"), ask(user).json().at("usage").at("prompt_tokens"));
}

}  // namespace
}  // namespace paro
