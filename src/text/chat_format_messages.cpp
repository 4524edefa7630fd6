#include "text/chat_format_messages.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>

namespace paro::text {
namespace {

namespace json = boost::json;

std::optional<json::object> parsed_object(const json::value& value) {
  const json::string* text = value.if_string();
  if (text == nullptr) return std::nullopt;
  boost::system::error_code failure;
  json::value parsed = json::parse(*text, failure, value.storage());
  if (failure || !parsed.is_object()) return std::nullopt;
  return std::move(parsed.get_object());
}

std::optional<std::string> joined_text(const json::array& parts) {
  std::string text;
  for (const json::value& part : parts) {
    const json::object* object = part.if_object();
    const json::value* piece = object ? object->if_contains("text") : nullptr;
    if (piece == nullptr || !piece->is_string()) return std::nullopt;
    text += piece->get_string();
  }
  return text;
}

void parse_arguments(json::array& calls) {
  for (json::value& call : calls) {
    json::object* object = call.if_object();
    json::value* function = object ? object->if_contains("function") : nullptr;
    if (function == nullptr || !function->is_object()) continue;
    json::value& arguments = function->get_object()["arguments"];
    if (arguments.is_null()) arguments.emplace_object();
    if (std::optional<json::object> parsed = parsed_object(arguments)) arguments = std::move(*parsed);
  }
}

json::object prepare(json::object message, const MessageRules& rules) {
  if (message["role"] == "developer") message["role"] = "system";
  const bool is_tool = message["role"] == "tool";

  if (json::value* content = message.if_contains("content")) {
    if (content->is_array() && (!rules.keeps_parts || is_tool))
      if (std::optional<std::string> text = joined_text(content->get_array())) *content = *text;
    if (is_tool && rules.tool_results_as_objects)
      if (std::optional<json::object> result = parsed_object(*content)) *content = std::move(*result);
  }
  if (json::value* calls = message.if_contains("tool_calls"); calls && calls->is_array())
    parse_arguments(calls->get_array());
  if (const json::value* reasoning = message.if_contains("reasoning");
      reasoning && reasoning->is_string() && !message.contains("reasoning_content"))
    message.emplace("reasoning_content", json::value(*reasoning));
  return message;
}

}  // namespace

json::array prepare_messages(const json::array& messages, const MessageRules& rules) {
  json::array prepared(messages.storage());
  prepared.reserve(messages.size());
  for (const json::value& message : messages) prepared.push_back(prepare(message.as_object(), rules));
  return prepared;
}

}  // namespace paro::text
