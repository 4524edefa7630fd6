#include "server/chat_message_writer.h"

#include <boost/json/value.hpp>
#include <utility>

namespace paro::server {

namespace json = boost::json;

namespace {

void append_text(json::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += '\n';
  text += more;
}

}  // namespace

void ChatMessageWriter::add(std::string_view role, std::string_view content) {
  if (json::object* last = messages_.empty() ? nullptr : &messages_.back().get_object()) {
    const bool joins_head = role == "system" && messages_.size() == 1;
    const bool joins_turn = role == "assistant" && !last->contains("tool_calls");
    if ((joins_head || joins_turn) && last->at("role").get_string() == role)
      return append_text(last->at("content").get_string(), content);
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
  append_text(reasoning.get_string(), text);
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
