#include "text/answer_grammar.h"

#include <boost/json/parse.hpp>
#include <memory>
#include <optional>

#include "base/error.h"
#include "tests/text/parsed_answer.h"
#include "text/grammar/grammar_matcher.h"

namespace paro::text {
namespace {

namespace json = boost::json;

const json::value& sum_schema() {
  static const json::value schema = json::parse(R"({"type":"object","required":["a"],"properties":{
      "a":{"type":"integer"}, "how":{"type":"string"}, "unit":{"enum":["m","km"]}, "list":{"type":"array","items":{"type":"boolean"}}}})");
  return schema;
}

const json::value& empty_schema() {
  static const json::value schema = json::parse(R"({"type":"object","properties":{},"additionalProperties":false})");
  return schema;
}

// A tokenizer of letters and the markers that a notation needs, and one more token that ends answers.
struct Notation {
  explicit Notation(const std::vector<std::string_view>& markers, std::string_view name)
      : tokenizer(letter_tokenizer(markers)) {
    for (const ChatFormat& f : chat_formats())
      if (f.name == name) format = &f;
    vocabulary = answer_vocabulary(tokenizer, *format, std::vector<int32_t>{stop_id()}, tokenizer.vocab_size());
  }

  int32_t stop_id() const { return *tokenizer.token_id("<end>"); }

  Tokenizer tokenizer;
  const ChatFormat* format = nullptr;
  std::shared_ptr<const GrammarVocabulary> vocabulary;
};

const Notation& gemma4() {
  static const Notation notation(
      {"<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|\"|>", "<|turn>", "<turn|>", "<end>"}, "gemma4");
  return notation;
}
const Notation& qwen3() {
  static const Notation notation({"<think>", "</think>", "<tool_call>", "</tool_call>", "<end>"}, "qwen3");
  return notation;
}
const Notation& qwen35() {
  static const Notation notation({"<think>", "</think>", "<tool_call>", "</tool_call>", "<end>"}, "qwen3.5");
  return notation;
}
const Notation& llama3() {
  static const Notation notation({"<|python_tag|>", "<|eom_id|>", "<|start_header_id|>", "<end>"}, "llama3");
  return notation;
}

AnswerRules rules_of(CallChoice calls) {
  AnswerRules rules;
  rules.calls = calls;
  rules.functions = {{"sum", &sum_schema(), false}, {"now", &empty_schema(), false}};
  return rules;
}

class Held {
 public:
  Held(const Notation& notation, const AnswerRules& rules, ThoughtState thought = ThoughtState::closed)
      : notation_(notation),
        start_(std::make_shared<TokenAutomaton>(answer_grammar(*notation.format, notation.tokenizer, thought, rules),
                                                notation.vocabulary)) {}

  bool allows(std::string_view text) const {
    GrammarMatcher matcher = start_;
    for (const int32_t id : notation_.tokenizer.encode(text, false)) {
      if (!matcher.can_accept(id)) return false;
      matcher.accept(id);
    }
    return matcher.can_accept(notation_.stop_id());
  }

 private:
  const Notation& notation_;
  const GrammarMatcher start_;
};

TEST(AnswerGrammar, Gemma4CallsAreHeldToTheirSchemas) {
  const Held held(gemma4(), rules_of(CallChoice::required));
  EXPECT_TRUE(held.allows("<|tool_call>call:sum{a:12}<tool_call|>"));
  EXPECT_TRUE(
      held.allows("<|tool_call>call:sum{a:1,how:<|\"|>as \"is\"<|\"|>,unit:<|\"|>km<|\"|>,list:[true]}<tool_call|>"));
  EXPECT_TRUE(held.allows("<|tool_call>call:now{}<tool_call|><|tool_call>call:sum{a:1}<tool_call|>"));
  for (const std::string_view text :
       {"Hello", "", "<|tool_call>call:sum{}<tool_call|>", "<|tool_call>call:sum{a:x}<tool_call|>",
        "<|tool_call>call:other{}<tool_call|>", "<|tool_call>call:sum{a:1}", "<|tool_call>call:now{a:1}<tool_call|>"})
    EXPECT_FALSE(held.allows(text)) << text;
}

TEST(AnswerGrammar, Qwen3CallsAreJsonOfTheirSchemas) {
  const Held held(qwen3(), rules_of(CallChoice::required));
  EXPECT_TRUE(held.allows("<tool_call>\n{\"name\": \"sum\", \"arguments\": {\"a\": 12}}\n</tool_call>"));
  EXPECT_TRUE(
      held.allows("<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n"
                  "<tool_call>\n{\"name\": \"sum\", \"arguments\": {\"a\": 1, \"how\": \"x\"}}\n</tool_call>"));
  EXPECT_FALSE(held.allows("<tool_call>\n{\"name\": \"sum\", \"arguments\": {\"a\": \"x\"}}\n</tool_call>"));
  EXPECT_FALSE(held.allows("<tool_call>\n{\"name\": \"other\", \"arguments\": {}}\n</tool_call>"));
}

TEST(AnswerGrammar, Qwen35ValuesStandBetweenTags) {
  const Held held(qwen35(), rules_of(CallChoice::required));
  const auto call = [](std::string_view arguments) {
    return "<tool_call>\n<function=sum>\n" + std::string(arguments) + "</function>\n</tool_call>";
  };
  const std::string a = "<parameter=a>\n12\n</parameter>\n";
  EXPECT_TRUE(held.allows(call(a)));
  EXPECT_TRUE(held.allows(call(a + "<parameter=how>\ntwo\nlines\n</parameter>\n<parameter=unit>\nkm\n</parameter>\n"
                                   "<parameter=list>\n[true,false]\n</parameter>\n")));
  EXPECT_TRUE(held.allows("<tool_call>\n<function=now>\n</function>\n</tool_call>"));
  EXPECT_FALSE(held.allows(call("")));
  EXPECT_FALSE(held.allows(call("<parameter=a>\nx\n</parameter>\n")));
  EXPECT_FALSE(held.allows(call(a + "<parameter=unit>\nmile\n</parameter>\n")));
  EXPECT_FALSE(held.allows(call(a + "<parameter=other>\n1\n</parameter>\n")));
}

TEST(AnswerGrammar, Llama3CallsAreOneObject) {
  const Held held(llama3(), rules_of(CallChoice::required));
  EXPECT_TRUE(held.allows("{\"name\": \"sum\", \"parameters\": {\"a\": 1}}"));
  EXPECT_FALSE(held.allows("{\"name\": \"sum\", \"parameters\": {\"a\": 1}}{\"name\": \"now\", \"parameters\": {}}"));
  const Held free(llama3(), rules_of(CallChoice::automatic));
  EXPECT_TRUE(free.allows("Any {\"text\"}."));
  EXPECT_TRUE(free.allows("<|python_tag|>{\"name\": \"now\", \"parameters\": {}}"));
  EXPECT_FALSE(free.allows("<|python_tag|>{\"name\": \"other\", \"parameters\": {}}"));
}

TEST(AnswerGrammar, FreeTextMayHoldCallsThatAreHeldOnceTheyBegin) {
  const Held held(gemma4(), rules_of(CallChoice::automatic), ThoughtState::possible);
  EXPECT_TRUE(held.allows(""));
  EXPECT_TRUE(held.allows("Hello, call:other{}"));
  EXPECT_TRUE(held.allows("<|channel>thought\nHm\n<channel|>So: <|tool_call>call:now{}<tool_call|> and on"));
  EXPECT_TRUE(held.allows("<|tool_call>call:now{}<tool_call|><|tool_call>call:now{}<tool_call|>"));
  EXPECT_FALSE(held.allows("So: <|tool_call>call:other{}<tool_call|>"));
  EXPECT_FALSE(held.allows("<|channel>thought\nHm"));
}

TEST(AnswerGrammar, TokensThatEndAnswersAreNoText) {
  const Tokenizer tokenizer = letter_tokenizer({"<end>"}, /*show_markers=*/true);
  const int32_t end = *tokenizer.token_id("<end>");
  GrammarBuilder builder;
  const auto vocabulary = answer_vocabulary(tokenizer, chat_formats().back(), std::vector<int32_t>{end}, end + 5);
  GrammarMatcher matcher(std::make_shared<TokenAutomaton>(
      builder.build(builder.sequence({builder.text(), builder.literal(".")})), vocabulary));
  EXPECT_FALSE(matcher.can_accept(end));
  matcher.accept('.');
  EXPECT_TRUE(matcher.can_accept(end));
}

TEST(AnswerGrammar, WithoutParallelCallsThereIsOne) {
  for (const CallChoice choice : {CallChoice::automatic, CallChoice::required}) {
    AnswerRules rules = rules_of(choice);
    rules.has_parallel_calls = false;
    const Held held(gemma4(), rules);
    EXPECT_TRUE(held.allows("<|tool_call>call:now{}<tool_call|>"));
    EXPECT_FALSE(held.allows("<|tool_call>call:now{}<tool_call|><|tool_call>call:now{}<tool_call|>"));
  }
}

TEST(AnswerGrammar, ThoughtsComeBeforeWhatIsHeld) {
  const Grammar content = Grammar::from_choice(std::vector<std::string>{"yes", "no"});
  AnswerRules rules;
  rules.content = &content;
  const Held possible(qwen3(), rules, ThoughtState::possible), open(qwen3(), rules, ThoughtState::open),
      closed(qwen3(), rules, ThoughtState::closed);
  EXPECT_TRUE(possible.allows("yes"));
  EXPECT_TRUE(possible.allows("<think>\nHm\n</think>\n\nyes"));
  EXPECT_TRUE(open.allows("Hm\n</think>\n\nno"));
  EXPECT_FALSE(open.allows("yes"));
  EXPECT_TRUE(closed.allows("no"));
  EXPECT_FALSE(closed.allows("<think>\nHm\n</think>\n\nno"));
  EXPECT_FALSE(possible.allows("<think>\nHm\n</think>\n\nmaybe"));
}

TEST(AnswerGrammar, ContentOrCalls) {
  const Grammar content = Grammar::from_choice(std::vector<std::string>{"yes"});
  AnswerRules rules = rules_of(CallChoice::automatic);
  rules.content = &content;
  const Held held(qwen3(), rules);
  EXPECT_TRUE(held.allows("yes"));
  EXPECT_TRUE(held.allows("<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>"));
  EXPECT_FALSE(held.allows("maybe"));
}

TEST(AnswerGrammar, WhatItAllowsItsParserReads) {
  const std::string text =
      "<tool_call>\n<function=sum>\n<parameter=a>\n12\n</parameter>\n<parameter=how>\nx\n</parameter>\n</function>\n</"
      "tool_call>";
  ASSERT_TRUE(Held(qwen35(), rules_of(CallChoice::required)).allows(text));
  const auto parser = qwen35().format->make_parser(qwen35().tokenizer, {});
  const ParsedAnswer answer = parse(*parser, qwen35().tokenizer.encode(text, false));
  EXPECT_EQ(answer.calls, (std::vector<ParsedCall>{{"sum", R"({"a":12,"how":"x"})", true}}));
}

TEST(AnswerGrammar, AFormatWithoutCallsCannotBeMadeToCall) {
  const Tokenizer tokenizer = letter_tokenizer({});
  EXPECT_THROW(answer_grammar(chat_formats().back(), tokenizer, ThoughtState::closed, rules_of(CallChoice::required)),
               Error);
}

}  // namespace
}  // namespace paro::text
