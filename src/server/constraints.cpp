#include "server/constraints.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <utility>
#include <vector>

#include "server/api_error.h"
#include "server/compiled_grammars.h"
#include "server/grammar_constraint.h"
#include "server/thinking_budget.h"
#include "text/answer_grammar.h"

namespace paro::server {
namespace {

namespace json = boost::json;
using Automaton = std::shared_ptr<text::TokenAutomaton>;

const json::value& any_arguments() {
  static const json::value schema = json::object{{"type", "object"}};
  return schema;
}

const json::value& no_arguments() {
  static const json::value schema =
      json::object{{"type", "object"}, {"properties", json::object()}, {"additionalProperties", false}};
  return schema;
}

// What a function declares that has none: no schema, or one without properties that says nothing of others.
bool has_no_arguments(const json::value* parameters) {
  if (parameters == nullptr || parameters->is_null()) return true;
  const json::object& schema = parameters->as_object();
  const json::value* properties = schema.if_contains("properties");
  return properties && properties->is_object() && properties->get_object().empty() &&
         !schema.contains("additionalProperties") && !schema.contains("patternProperties");
}

std::vector<text::CallableFunction> callable_functions(const ChatRequest& request, bool with_schemas) {
  std::vector<text::CallableFunction> functions;
  for (const json::value& tool : request.tools) {
    const json::object& function = tool.at("function").as_object();
    const std::string_view name = function.at("name").as_string();
    if (!request.tool_choice.allows(name)) continue;
    const json::value* parameters = function.if_contains("parameters");
    const json::value* strict = function.if_contains("strict");
    const bool is_strict = strict && *strict == true;
    if (has_no_arguments(parameters)) parameters = &no_arguments();
    functions.push_back({name, with_schemas || is_strict ? parameters : &any_arguments(), is_strict});
  }
  return functions;
}

bool has_strict(const ChatRequest& request) {
  const auto functions = callable_functions(request, true);
  return std::any_of(functions.begin(), functions.end(), [](const auto& function) { return function.is_strict; });
}

text::CallChoice call_choice(const ToolChoice& choice) {
  switch (choice.kind) {
    case ToolChoice::Kind::automatic:
      return text::CallChoice::automatic;
    case ToolChoice::Kind::required:
      return text::CallChoice::required;
    case ToolChoice::Kind::none:
      break;
  }
  return text::CallChoice::none;
}

// The request's part that makes the grammar.
std::string key_of(const ChatRequest& request, text::ThoughtState thought) {
  json::array functions(request.tools.storage());
  for (const text::CallableFunction& function : callable_functions(request, true)) {
    json::array parts(request.tools.storage());
    parts.emplace_back(json::string_view(function.name));
    parts.emplace_back(*function.parameters);
    parts.emplace_back(function.is_strict);
    functions.emplace_back(std::move(parts));
  }
  return fmt::format("chat {} {} {} {} {}", static_cast<int>(thought), static_cast<int>(request.tool_choice.kind),
                     request.tool_choice.allows_parallel_calls, std::string_view(json::serialize(functions)),
                     request.content_rule ? request.content_rule->key() : "");
}

text::Grammar compile(const ChatRequest& request, text::ThoughtState thought, const Service& service,
                      bool with_schemas) {
  text::AnswerRules rules;
  rules.calls = call_choice(request.tool_choice);
  rules.functions = callable_functions(request, with_schemas);
  rules.has_parallel_calls = request.tool_choice.allows_parallel_calls;
  std::optional<text::Grammar> content;
  if (request.content_rule) content.emplace(request.content_rule->compile(service.model.tokenizer));
  rules.content = content ? &*content : nullptr;
  return text::answer_grammar(service.format, service.model.tokenizer, thought, rules);
}

Automaton automaton_of(const ChatRequest& request, text::ThoughtState thought, const Service& service) {
  const ToolChoice::Kind calls = request.tool_choice.kind;
  if (calls == ToolChoice::Kind::none && !request.content_rule) return nullptr;
  // Nothing that the request asks for depends on it.
  const bool is_optional = calls == ToolChoice::Kind::automatic && !request.content_rule && !has_strict(request);
  if (is_optional && service.format.call_grammar == nullptr) return nullptr;
  const auto compile_any = [&] {
    try {
      return compile(request, thought, service, true);
    } catch (const Error&) {  // strict functions keep their schemas
      return compile(request, thought, service, false);
    }
  };
  try {
    return service.grammars->get(key_of(request, thought), compile_any);
  } catch (const Error& error) {
    if (is_optional) return nullptr;
    throw invalid_field("tools", fmt::format("cannot be followed: {}", error.message()));
  } catch (const ApiError&) {
    if (is_optional) return nullptr;
    throw;
  }
}

}  // namespace

MakeConstraint chat_constraint(const ChatRequest& request, std::span<const int32_t> prompt, const Service& service) {
  const text::Tokenizer& tokenizer = service.model.tokenizer;
  const text::ThoughtState thought = service.format.thought_at_end(tokenizer, prompt);
  const Automaton automaton = automaton_of(request, thought, service);

  const std::optional<int> budget = request.thinking_budget ? request.thinking_budget : service.options.thinking_budget;
  const std::optional<int32_t> open = tokenizer.token_id(service.format.thought.open),
                               close = tokenizer.token_id(service.format.thought.close);
  const bool is_limited = budget.value_or(-1) >= 0 && open && close;
  if (!automaton && !is_limited) return {};
  const ThinkingLimits limits{open.value_or(-1), close.value_or(-1), thought == text::ThoughtState::open,
                              budget.value_or(0)};
  return [automaton, is_limited, limits, vocab_size = service.model.engine.info().vocab_size] {
    std::shared_ptr<TokenConstraint> constraint = automaton ? make_grammar_constraint(automaton) : nullptr;
    return is_limited ? make_thinking_budget(std::move(constraint), limits, vocab_size) : constraint;
  };
}

MakeConstraint text_constraint(const std::optional<ContentRule>& rule, const Service& service) {
  if (!rule) return {};
  const Automaton automaton =
      service.grammars->get("text" + rule->key(), [&] { return rule->compile(service.model.tokenizer); });
  return [automaton] { return make_grammar_constraint(automaton); };
}

}  // namespace paro::server
