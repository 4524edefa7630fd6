#include "server/chat_answer.h"

#include <utility>

#include "server/identifiers.h"
#include "server/logprob_entries.h"

namespace paro::server {
namespace {

namespace json = boost::json;
using Kind = text::ChatDelta::Kind;

json::object function_of(std::string_view name, std::string_view arguments) {
  json::object function;
  if (!name.empty()) function["name"] = name;
  function["arguments"] = arguments;
  return function;
}

json::object new_call(std::string_view name) {
  json::object call;
  call["id"] = random_id("call_");
  call["type"] = "function";
  call["function"] = function_of(name, "");
  return call;
}

json::object delta_with_call(json::object call) {
  json::object delta;
  json::array calls;
  calls.emplace_back(std::move(call));
  delta["tool_calls"] = std::move(calls);
  return delta;
}

}  // namespace

std::vector<json::object> ChatAnswer::opening_choices(size_t index) {
  json::object delta;
  delta["role"] = "assistant";
  delta["content"] = "";
  return {delta_choice(index, std::move(delta), {})};
}

std::vector<json::object> ChatAnswer::piece_choices(size_t index, const ChoicePiece& piece) {
  if (n_calls_.size() <= index) n_calls_.resize(index + 1);
  int& n_calls = n_calls_[index];
  std::vector<json::object> choices;
  for (const text::ChatDelta& part : piece.deltas) {
    json::object delta;
    switch (part.kind) {
      case Kind::content:
        delta["content"] = part.text;
        break;
      case Kind::reasoning:
        delta["reasoning_content"] = part.text;
        break;
      case Kind::call_started: {
        json::object call;
        call["index"] = n_calls++;
        for (auto& [key, value] : new_call(part.text)) call[key] = value;
        delta = delta_with_call(std::move(call));
        break;
      }
      case Kind::call_arguments: {
        json::object call;
        call["index"] = n_calls - 1;
        call["function"] = function_of("", part.text);
        delta = delta_with_call(std::move(call));
        break;
      }
      case Kind::call_ended:
        continue;
    }
    choices.push_back(
        delta_choice(index, std::move(delta), choices.empty() ? piece.scores : std::vector<ScoredToken>()));
  }
  return choices;
}

json::object ChatAnswer::closing_choice(size_t index, const ChoicePiece& rest, std::string_view finish_reason) {
  json::object choice = delta_choice(index, {}, rest.scores);
  choice["finish_reason"] = finish_reason;
  return choice;
}

json::object ChatAnswer::whole_choice(size_t index, const ChoicePiece& all, std::string_view finish_reason) {
  std::string content, reasoning;
  json::array calls;
  for (const text::ChatDelta& part : all.deltas) {
    switch (part.kind) {
      case Kind::content:
        content += part.text;
        break;
      case Kind::reasoning:
        reasoning += part.text;
        break;
      case Kind::call_started:
        calls.emplace_back(new_call(part.text));
        break;
      case Kind::call_arguments: {
        json::value& arguments = calls.back().as_object()["function"].as_object()["arguments"];
        arguments.as_string() += part.text;
        break;
      }
      case Kind::call_ended:
        break;
    }
  }
  json::object message;
  message["role"] = "assistant";
  message["content"] = content.empty() && !calls.empty() ? json::value(nullptr) : json::value(content);
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  if (!calls.empty()) message["tool_calls"] = std::move(calls);

  json::object choice;
  choice["index"] = index;
  choice["message"] = std::move(message);
  choice["logprobs"] = logprobs(all.scores);
  choice["finish_reason"] = finish_reason;
  return choice;
}

json::object ChatAnswer::delta_choice(size_t index, json::object delta, const std::vector<ScoredToken>& scores) const {
  json::object choice;
  choice["index"] = index;
  choice["delta"] = std::move(delta);
  choice["logprobs"] = logprobs(scores);
  choice["finish_reason"] = nullptr;
  return choice;
}

json::value ChatAnswer::logprobs(const std::vector<ScoredToken>& scores) const {
  if (scores.empty()) return nullptr;
  json::object object;
  object["content"] = logprob_entries(tokenizer_, scores);
  return object;
}

}  // namespace paro::server
