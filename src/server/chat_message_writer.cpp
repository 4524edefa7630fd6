#include "server/chat_message_writer.h"

#include <boost/json/value.hpp>
#include <utility>

namespace paro::server {

namespace json = boost::json;

namespace {

// Of the assistant, with thoughts at most.
bool is_empty_turn(const json::object& message) {
  return message.at("role") == "assistant" && message.at("content") == "" && !message.contains("tool_calls");
}

}  // namespace

void ChatMessageWriter::add(std::string_view role, std::string_view content) {
  if (role == "system" && messages_.size() == 1 && messages_[0].at("role") == "system") {
    json::string& text = messages_[0].get_object()["content"].get_string();
    text += '\n';
    text += content;
    return;
  }
  if (role == "assistant" && !messages_.empty() && is_empty_turn(messages_.back().get_object())) {
    messages_.back().get_object()["content"] = content;
    return;
  }
  json::object message(messages_.storage());
  message["role"] = role;
  message["content"] = content;
  messages_.emplace_back(std::move(message));
}

void ChatMessageWriter::add_call(std::string_view id, std::string_view name, const json::value& arguments) {
  json::object function(messages_.storage());
  function["name"] = name;
  function["arguments"] = arguments;
  json::object call(messages_.storage());
  call["id"] = id;
  call["type"] = "function";
  call["function"] = std::move(function);
  json::value& calls = assistant()["tool_calls"];
  if (!calls.is_array()) calls.emplace_array();
  calls.get_array().emplace_back(std::move(call));
}

void ChatMessageWriter::add_result(std::string_view call_id, std::string_view content) {
  add("tool", content);
  messages_.back().get_object()["tool_call_id"] = call_id;
}

void ChatMessageWriter::add_reasoning(std::string_view text) {
  json::value& reasoning = assistant()["reasoning_content"];
  if (!reasoning.is_string()) reasoning.emplace_string();
  if (!reasoning.get_string().empty()) reasoning.get_string() += '\n';
  reasoning.get_string() += text;
}

json::object& ChatMessageWriter::assistant() {
  if (messages_.empty() || messages_.back().at("role") != "assistant") add("assistant", "");
  return messages_.back().get_object();
}

json::object chat_tool(const JsonBlock& tool, std::string_view parameters, const json::storage_ptr& memory) {
  const json::object* schema = tool.fields.object(parameters);
  if (schema) JsonFields(*schema, tool.path(parameters) + ".").object("properties");
  json::object function(memory);
  function["name"] = tool.required("name");
  if (const auto description = tool.fields.string("description")) function["description"] = *description;
  if (schema) function["parameters"] = *schema;
  if (const auto strict = tool.fields.boolean("strict")) function["strict"] = *strict;
  json::object entry(memory);
  entry["type"] = "function";
  entry["function"] = std::move(function);
  return entry;
}

}  // namespace paro::server
