// What holds answers: the constraints that requests come to the engine with.
#include <boost/json/object.hpp>

#include "server/api_error.h"
#include "server/compiled_grammars.h"
#include "server/thinking_budget.h"
#include "tests/server/http_client.h"
#include "tests/server/server_fixture.h"

namespace paro {
namespace {

namespace json = boost::json;

constexpr std::string_view kTools =
    R"("tools":[{"type":"function","function":{"name":"add","parameters":{"type":"object","required":["a"],
        "properties":{"a":{"type":"integer"}}}}},{"type":"function","function":{"name":"now","parameters":{"type":"object","properties":{}}}}])";
constexpr std::string_view kAdd = "<|tool_call>call:add{a:1}<tool_call|>", kNow = "<|tool_call>call:now{}<tool_call|>";

class Constraints : public ServerTest {
 protected:
  Constraints() {
    engine.model_info.stop_tokens = {*demo_tokenizer().token_id("<turn|>")};
    answer_with("x");
    options.grammar_bytes = 400 << 20;  // the engine keeps what it was asked for
  }

  // Asks, and gives what the engine was told to hold the answer to.
  std::shared_ptr<TokenConstraint> held_by(std::string_view members) {
    const HttpAnswer answer = chat(members);
    EXPECT_EQ(answer.status, 200u) << members << answer.body;
    return engine.requests().back().constraint;
  }

  // Whether an answer may be `text` and end there.
  static bool allows(TokenConstraint& constraint, std::string_view text) {
    const auto may_come = [&](int32_t id) {
      const std::span<const uint32_t> allowed = constraint.allowed();
      return allowed.empty() || (allowed[static_cast<size_t>(id) / 32] >> (id % 32) & 1) != 0;
    };
    for (const int32_t id : tokens_of(text)) {
      if (!may_come(id)) return false;
      constraint.accept(id);
    }
    return may_come(*demo_tokenizer().token_id("<turn|>"));
  }

  bool allows(std::string_view members, std::string_view text) {
    const std::shared_ptr<TokenConstraint> constraint = held_by(members);
    return constraint == nullptr || allows(*constraint, text);
  }

  static std::string with_tools(std::string_view members) { return fmt::format("{},{}", kTools, members); }
};

TEST_F(Constraints, PlainRequestsHaveNone) {
  start();
  EXPECT_EQ(held_by(""), nullptr);
  EXPECT_EQ(held_by(R"("response_format":{"type":"text"})"), nullptr);
  EXPECT_EQ(held_by(with_tools(R"("tool_choice":"none")")), nullptr);
}

TEST_F(Constraints, ToolChoiceSaysWhatMayBeCalled) {
  start();
  const auto choice = [](std::string_view value) { return with_tools(fmt::format(R"("tool_choice":{})", value)); };
  const std::string named = choice(R"({"type":"function","function":{"name":"add"}})");
  const std::string allowed = choice(
      R"({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"now"}}]}})");
  EXPECT_TRUE(allows(choice(R"("auto")"), "Hello"));
  EXPECT_TRUE(allows(choice(R"("auto")"), kAdd));
  EXPECT_FALSE(allows(choice(R"("auto")"), "<|tool_call>call:other{}<tool_call|>"));
  EXPECT_FALSE(allows(choice(R"("required")"), "Hello"));
  EXPECT_TRUE(allows(choice(R"("required")"), kNow));
  EXPECT_FALSE(allows(choice(R"("required")"), "<|tool_call>call:now{b:1}<tool_call|>"));
  EXPECT_TRUE(allows(named, kAdd));
  EXPECT_FALSE(allows(named, kNow));
  EXPECT_FALSE(allows(named, "<|tool_call>call:add{a:<|\"|>one<|\"|>}<tool_call|>"));
  EXPECT_TRUE(allows(allowed, kNow));
  EXPECT_FALSE(allows(allowed, kAdd));
}

TEST_F(Constraints, OneCallWhereParallelOnesAreOff) {
  start();
  const std::string both = std::string(kAdd) + std::string(kNow);
  EXPECT_TRUE(allows(with_tools(R"("tool_choice":"required")"), both));
  EXPECT_FALSE(allows(with_tools(R"("tool_choice":"required","parallel_tool_calls":false)"), both));
  EXPECT_FALSE(allows(with_tools(R"("parallel_tool_calls":false)"), both));
}

TEST_F(Constraints, NamedCallsEndWithStopAndRequiredOnesWithToolCalls) {
  answer_with(kAdd);
  start();
  const auto reason = [&](std::string_view choice) {
    return chat(with_tools(fmt::format(R"("tool_choice":{})", choice))).json().at("choices").at(0).at("finish_reason");
  };
  EXPECT_EQ(reason(R"({"type":"function","function":{"name":"add"}})"), "stop");
  EXPECT_EQ(reason(R"("required")"), "tool_calls");
}

TEST_F(Constraints, EveryNameOfStructuredOutputsHoldsTheContent) {
  start();
  const std::vector<std::string> forms{
      R"("response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"enum":["yes"]}}})",
      R"("response_format":{"type":"json_schema","schema":{"enum":["yes"]}})",
      R"("json_schema":{"enum":["yes"]})",
      R"("guided_json":"{\"enum\":[\"yes\"]}")",
      R"("structured_outputs":{"json":{"enum":["yes"]}})",
      R"("guided_regex":"\"yes\"")",
      R"("structured_outputs":{"regex":"\"yes\""})",
      R"("guided_choice":["\"yes\""])",
      R"("structured_outputs":{"choice":["\"yes\"","\"ja\""]})",
      R"("grammar":"root ::= \"\\\"yes\\\"\"")",
      R"("guided_grammar":"root ::= \"\\\"yes\\\"\"")",
      R"("structured_outputs":{"grammar":"root ::= \"\\\"yes\\\"\""})"};
  for (const std::string& form : forms) {
    EXPECT_TRUE(allows(form, "\"yes\"")) << form;
    EXPECT_FALSE(allows(form, "\"no\"")) << form;
    const HttpAnswer answer = complete(R"("prompt":"Hi",)" + form);
    ASSERT_EQ(answer.status, 200u) << answer.body;
    const auto constraint = engine.requests().back().constraint;
    ASSERT_NE(constraint, nullptr) << form;
    EXPECT_FALSE(allows(*constraint, "maybe")) << form;
  }
  EXPECT_TRUE(allows(R"("response_format":{"type":"json_object"})", R"({"a":[1,"x"]})"));
  EXPECT_FALSE(allows(R"("response_format":{"type":"json_object"})", "[1]"));
}

TEST_F(Constraints, OtherRoutesHoldTheirAnswersToo) {
  start();
  const auto held_at = [&](std::string_view path, std::string_view body) {
    const HttpAnswer answer = HttpClient(port()).post(std::string(path), std::string(body));
    EXPECT_EQ(answer.status, 200u) << answer.body;
    return engine.requests().back().constraint;
  };
  constexpr std::string_view kResponse = R"({"input":"Hi","tools":[{"type":"function","name":"now",
      "parameters":{"type":"object","properties":{}}},{"type":"function","name":"add"}],"tool_choice":)";
  for (const std::string_view choice :
       {R"("required")", R"({"type":"function","name":"now"})",
        R"({"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"now"}]})"}) {
    const auto constraint = held_at("/v1/responses", std::string(kResponse) + std::string(choice) + "}");
    ASSERT_NE(constraint, nullptr) << choice;
    EXPECT_TRUE(allows(*constraint, kNow)) << choice;
  }
  auto constraint = held_at("/v1/responses", R"({"input":"Hi","text":{"format":{"type":"json_schema","name":"n",
      "schema":{"enum":["yes"]}}}})");
  ASSERT_NE(constraint, nullptr);
  EXPECT_FALSE(allows(*constraint, "yes"));

  constraint = held_at("/v1/messages", R"({"max_tokens":9,"messages":[{"role":"user","content":"Hi"}],
      "tools":[{"name":"now","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"any"}})");
  ASSERT_NE(constraint, nullptr);
  EXPECT_FALSE(allows(*constraint, "Hello"));
}

TEST_F(Constraints, ThoughtsComeBeforeHeldContent) {
  start();
  const std::string_view thinks = R"("reasoning_effort":"high","guided_choice":["yes"])";
  EXPECT_TRUE(allows(thinks, "<|channel>thought\nHm\n<channel|>yes"));
  EXPECT_FALSE(allows(thinks, "<|channel>thought\nHm\n<channel|>maybe"));
  EXPECT_FALSE(allows(R"("reasoning_effort":"none","guided_choice":["yes"])", "<|channel>thought\nHm\n<channel|>yes"));
}

TEST_F(Constraints, ABudgetEndsThoughts) {
  options.thinking_budget = 2;
  start();
  const std::string thought = "<|channel>thought\none two three four five\n<channel|>yes";
  EXPECT_FALSE(allows("", thought)) << "beyond the server's";
  EXPECT_TRUE(allows("", "yes"));
  for (const std::string_view field : {R"("thinking_budget_tokens":{})", R"("reasoning":{{"max_tokens":{}}})",
                                       R"("chat_template_kwargs":{{"thinking_budget":{}}})"}) {
    EXPECT_TRUE(allows(fmt::format(fmt::runtime(field), 50), thought)) << field;
    EXPECT_FALSE(allows(fmt::format(fmt::runtime(field), 1), thought)) << field;
  }
  EXPECT_TRUE(allows(R"("thinking_budget_tokens":-1)", thought));
}

TEST(ThinkingBudget, LeavesTheClosingMarkerAloneWhenItIsSpent) {
  const auto constraint =
      server::make_thinking_budget(nullptr, {.open_token = 5, .close_token = 40, .max_tokens = 2}, 70);
  const auto only_close = [&] {
    const std::span<const uint32_t> allowed = constraint->allowed();
    return allowed.size() == 3 && allowed[0] == 0 && allowed[1] == 1u << 8 && allowed[2] == 0;
  };
  EXPECT_TRUE(constraint->allowed().empty());
  for (const int32_t id : {1, 2, 3, 5, 6}) constraint->accept(id);
  EXPECT_TRUE(constraint->allowed().empty());
  constraint->accept(7);
  EXPECT_TRUE(only_close());
  constraint->accept(40);
  EXPECT_TRUE(constraint->allowed().empty());
  constraint->accept(5);
  EXPECT_TRUE(only_close()) << "a second thought has nothing left";
}

TEST_F(Constraints, WhatCannotBeFollowedIs400WithItsField) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("tool_choice":"required")", "tool_choice"},
      {R"("tool_choice":{"type":"function","function":{"name":"f"}})", "tool_choice"},
      {with_tools(R"("tool_choice":{"type":"function","function":{"name":"f"}})"), "tool_choice"},
      {with_tools(R"("tool_choice":{"type":"function"})"), "tool_choice.function"},
      {with_tools(R"("tool_choice":{"type":"custom"})"), "tool_choice"},
      {with_tools(R"("tool_choice":"maybe")"), "tool_choice"},
      {with_tools(R"("tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]})"), "tool_choice.tools"},
      {with_tools(R"("parallel_tool_calls":1)"), "parallel_tool_calls"},
      {R"("response_format":{"type":"xml"})", "response_format.type"},
      {R"("response_format":{"type":"json_schema"})", "response_format.schema"},
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n"}})", "response_format.json_schema.schema"},
      {R"("response_format":{"type":"json_schema","json_schema":{"strict":true,"schema":{"not":{}}}})",
       "response_format.json_schema.schema"},
      {R"("json_schema":7)", "json_schema"},
      {R"("guided_json":"{")", "guided_json"},
      {R"("guided_regex":"(")", "guided_regex"},
      {R"("grammar":"root ::= (")", "grammar"},
      {R"("guided_choice":[])", "guided_choice"},
      {R"("guided_choice":[1])", "guided_choice"},
      {R"("grammar":"root ::= \"a\"","guided_regex":"a")", "guided_regex"},
      {R"("thinking_budget_tokens":"2")", "thinking_budget_tokens"},
      {R"("reasoning":{"max_tokens":-5})", "reasoning.max_tokens"},
  };
  for (const auto& [members, param] : cases) {
    const HttpAnswer answer = chat(members);
    EXPECT_EQ(answer.status, 400u) << members;
    EXPECT_EQ(error_param_of(answer), param) << members << answer.body;
  }
}

TEST_F(Constraints, ToolsThatMakeNoGrammarLeaveCallsFreeUnlessOneIsAskedFor) {
  start();
  const auto tool = [](std::string_view strict) {
    return fmt::format(R"("tools":[{{"type":"function","function":{{"name":"f",{}"parameters":{{"type":"object",
        "properties":{{"a":{{"$ref":"http://elsewhere"}}}}}}}}}}])",
                       strict);
  };
  EXPECT_TRUE(allows(tool("") + R"(,"tool_choice":"required")", "<|tool_call>call:f{b:1}<tool_call|>"));
  EXPECT_EQ(chat(tool(R"("strict":true,)")).status, 400u);
}

TEST_F(Constraints, WithoutMemoryForGrammarsCallsAreFreeAndSchemasRefused) {
  options.grammar_bytes = 0;
  start();
  EXPECT_EQ(held_by(kTools), nullptr);
  EXPECT_EQ(chat(with_tools(R"("tool_choice":"required")")).status, 400u);
  EXPECT_EQ(complete(R"("prompt":"Hi","guided_regex":"a")").status, 400u);
}

TEST(CompiledGrammars, AreSharedByKeyAndGoWhenNobodyHoldsThem) {
  std::vector<text::GrammarVocabulary::Token> tokens{{"a"}, {"b"}, {"", true}};
  server::CompiledGrammars grammars(std::make_shared<const text::GrammarVocabulary>(tokens, std::vector<int32_t>{2}),
                                    server::CompiledGrammars::kWorkBytes + (5 << 20));
  int n_compiled = 0;
  const auto get = [&](const std::string& key) {
    return grammars.get(key, [&] {
      ++n_compiled;
      return text::Grammar::from_choice(std::vector<std::string>{"a"});
    });
  };
  auto a = get("a"), b = get("b");
  EXPECT_EQ(get("a"), a);
  EXPECT_EQ(n_compiled, 2);
  try {
    get("c");
    ADD_FAILURE() << "there was room for a third";
  } catch (const server::ApiError& error) {
    EXPECT_EQ(error.status, 503u);
    EXPECT_NE(error.message.find("4.0 of 5.0 MiB"), std::string::npos) << error.message;
  }
  b.reset();
  EXPECT_NE(get("c"), nullptr);
  EXPECT_EQ(get("a"), a);
  EXPECT_EQ(n_compiled, 4) << "what c takes is known when it is compiled";
  EXPECT_NE(get("b"), nullptr);
  EXPECT_EQ(n_compiled, 5);
  a.reset();
  EXPECT_THROW(grammars.get("d", []() -> text::Grammar { throw Error(ErrorKind::request, "broken"); }), Error);
  EXPECT_NE(get("d"), nullptr) << "what failed takes no room";
  EXPECT_THROW(get(std::string(1 << 20, 'x')), server::ApiError);
}

}  // namespace
}  // namespace paro
