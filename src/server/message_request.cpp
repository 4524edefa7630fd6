#include "server/message_request.h"

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/api_error.h"
#include "server/chat_message_writer.h"
#include "server/json_block.h"

namespace paro::server {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 1> kText{"text"};

void add_result(const JsonBlock& block, ChatMessageWriter& messages) {
  const std::string id = block.required("tool_use_id");
  const bool is_error = block.fields.boolean("is_error").value_or(false);
  const std::string content = read_text(block.fields, "content", kText);
  messages.add_result(id, is_error ? "Error: " + content : content);
}

void add_user(const json::array& content, const std::string& path, ChatMessageWriter& messages) {
  std::string text;
  bool has_results = false;
  for (size_t i = 0; i < content.size(); ++i) {
    const JsonBlock block = read_block(content[i], fmt::format("{}[{}]", path, i));
    if (block.type == "text") {
      append_text(text, block.required("text"));
    } else if (block.type == "tool_result") {
      if (!text.empty()) messages.add("user", std::exchange(text, {}));
      add_result(block, messages);
      has_results = true;
    } else {
      block.refuse_type("text or tool_result: the model reads no other content");
    }
  }
  if (!text.empty() || !has_results) messages.add("user", text);
}

void add_assistant(const json::array& content, const std::string& path, ChatMessageWriter& messages) {
  std::string text, thinking;
  std::vector<JsonBlock> calls;
  for (size_t i = 0; i < content.size(); ++i) {
    JsonBlock block = read_block(content[i], fmt::format("{}[{}]", path, i));
    if (block.type == "text") {
      append_text(text, block.required("text"));
    } else if (block.type == "thinking") {
      append_text(thinking, block.required("thinking"));
    } else if (block.type == "tool_use") {
      calls.push_back(std::move(block));
    } else if (block.type != "redacted_thinking") {
      block.refuse_type("text, thinking, redacted_thinking or tool_use");
    }
  }
  messages.add("assistant", text);
  if (!thinking.empty()) messages.add_reasoning(thinking);
  for (const JsonBlock& call : calls) {
    const json::value* input = call.fields.find("input");
    if (input == nullptr || !input->is_object()) throw invalid_field(call.path("input"), "must be an object");
    messages.add_call(call.required("id"), call.required("name"), *input);
  }
}

json::array messages_of(const JsonFields& fields, const json::storage_ptr& memory) {
  ChatMessageWriter writer(memory);
  if (const std::string system = read_text(fields, "system", kText); !system.empty()) writer.add("system", system);
  const json::array* messages = fields.array("messages");
  if (messages == nullptr || messages->empty()) throw invalid_field("messages", "must have at least one message");
  for (size_t i = 0; i < messages->size(); ++i) {
    const std::string at = fmt::format("messages[{}]", i);
    const json::value& value = (*messages)[i];
    if (!value.is_object()) throw invalid_field(at, "must be an object with role and content");
    const JsonFields message(value.get_object(), at + ".");
    const std::string role = message.string("role").value_or("");
    if (role != "user" && role != "assistant" && role != "system")
      throw invalid_field(at + ".role", fmt::format("is '{}', must be user, assistant or system", role));
    const json::value* content = message.find("content");
    if (content == nullptr) throw invalid_field(at + ".content", "is missing");
    if (content->is_array() && role != "system") {
      const auto add = role == "user" ? add_user : add_assistant;
      add(content->get_array(), at + ".content", writer);
    } else {
      writer.add(role, read_text(message, "content", kText));
    }
  }
  return writer.take();
}

json::array tools_of(const json::array& list, const json::storage_ptr& memory) {
  json::array tools(memory);
  for (size_t i = 0; i < list.size(); ++i) {
    const JsonBlock tool = read_block(list[i], fmt::format("tools[{}]", i));
    if (!tool.type.empty() && tool.type != "custom") tool.refuse_type("custom: the server runs no tools itself");
    if (!tool.fields.find("input_schema")) throw invalid_field(tool.path("input_schema"), "is missing");
    tools.emplace_back(chat_tool(tool, "input_schema", memory));
  }
  return tools;
}

void read_tool_choice(const JsonFields& fields, json::object& chat) {
  const json::value* value = fields.find("tool_choice");
  if (value == nullptr) return;
  const JsonBlock choice = read_block(*value, "tool_choice");
  choice.fields.string("name");
  if (choice.type == "auto" || choice.type == "none") {
    chat["tool_choice"] = choice.type;
  } else if (choice.type == "any") {
    chat["tool_choice"] = "required";
  } else if (choice.type == "tool") {
    chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", choice.required("name")}}}};
  } else {
    choice.refuse_type("auto, any, tool or none");
  }
  if (choice.fields.boolean("disable_parallel_tool_use").value_or(false)) chat["parallel_tool_calls"] = false;
}

// Whether thoughts are shown.
bool read_thinking(const JsonFields& fields, json::object& chat) {
  const json::value* value = fields.find("thinking");
  if (value == nullptr) return true;
  const JsonBlock thinking = read_block(*value, "thinking");
  if (thinking.type != "enabled" && thinking.type != "adaptive" && thinking.type != "disabled")
    thinking.refuse_type("enabled, adaptive or disabled");
  chat["chat_template_kwargs"] = {{"enable_thinking", thinking.type != "disabled"}};
  if (const auto budget = thinking.fields.integer("budget_tokens", 1, std::numeric_limits<int>::max()))
    chat["thinking_budget_tokens"] = *budget;
  return thinking.fields.string("display") != "omitted";
}

void read_output_config(const JsonFields& fields, json::object& chat) {
  const json::object* config = fields.object("output_config");
  if (config == nullptr) return;
  const json::value* value = JsonFields(*config, "output_config.").find("format");
  if (value == nullptr) return;
  const JsonBlock format = read_block(*value, "output_config.format");
  if (format.type != "json_schema") format.refuse_type("json_schema");
  const json::object* schema = format.fields.object("schema");
  if (schema == nullptr) throw invalid_field(format.path("schema"), "is missing");
  chat["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"name", "output"}, {"schema", *schema}}}};
}

}  // namespace

MessageRequest read_message_request(const json::object& body, const SamplingOptions& defaults, int vocab_size) {
  const JsonFields fields(body);
  const json::storage_ptr& memory = body.storage();
  json::object chat(memory);
  chat["messages"] = messages_of(fields, memory);
  if (const json::array* tools = fields.array("tools"); tools && !tools->empty())
    chat["tools"] = tools_of(*tools, memory);
  read_tool_choice(fields, chat);
  const bool shows_thinking = read_thinking(fields, chat);
  read_output_config(fields, chat);
  for (const std::string_view name : {"max_tokens", "temperature", "top_p", "top_k", "stream"})
    if (const json::value* value = fields.find(name)) chat[name] = *value;

  MessageRequest request{read_chat_request(chat, defaults, vocab_size), shows_thinking};
  request.chat.options.stop = read_stop_strings(fields, "stop_sequences");
  request.chat.options.clips_max_tokens = true;
  return request;
}

}  // namespace paro::server
