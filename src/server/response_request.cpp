#include "server/response_request.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "server/api_error.h"
#include "server/chat_message_writer.h"
#include "server/json_block.h"

namespace paro::server {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 3> kContent{"input_text", "output_text", "text"};
constexpr std::array<std::string_view, 2> kThoughts{"reasoning_text", "summary_text"};

// Fields of the chat request that a client knows by another name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kNames{{
    {"messages", "input"},
    {"max_tokens", "max_output_tokens"},
    {"response_format", "text.format"},
    {"reasoning_effort", "reasoning.effort"},
    {"logprobs", "include"},
}};

// What the server cannot do, and what it does instead.
void refuse_state(const JsonFields& fields) {
  constexpr std::string_view kSendAll = "cannot be used: nothing is stored; send the whole conversation as input";
  for (const std::string_view name : {"previous_response_id", "conversation"})
    if (fields.find(name)) throw invalid_field(name, kSendAll);
  if (fields.find("prompt")) throw invalid_field("prompt", "cannot be used: no prompts are stored");
  if (fields.boolean("background").value_or(false))
    throw invalid_field("background", "must be false: answers are not stored");
  if (fields.string("truncation").value_or("disabled") != "disabled")
    throw invalid_field("truncation", "must be disabled: nothing of the input is left out");
}

void add_message(const JsonBlock& item, ChatMessageWriter& messages) {
  const std::string role = item.required("role");
  if (role != "user" && role != "assistant" && role != "system" && role != "developer")
    throw invalid_field(item.path("role"), fmt::format("is '{}', must be user, assistant, system or developer", role));
  if (!item.fields.find("content")) throw invalid_field(item.path("content"), "is missing");
  messages.add(role == "developer" ? "system" : role, read_text(item.fields, "content", kContent));
}

// The thoughts themselves where they are told, else their summary.
void add_reasoning(const JsonBlock& item, ChatMessageWriter& messages) {
  std::string text = read_text(item.fields, "content", kThoughts);
  if (text.empty()) text = read_text(item.fields, "summary", kThoughts);
  if (!text.empty()) messages.add_reasoning(text);
}

void add_item(const json::value& value, const std::string& at, ChatMessageWriter& messages) {
  const JsonBlock item = read_block(value, at);
  if (item.type == "message" || item.type.empty()) {
    add_message(item, messages);
  } else if (item.type == "function_call") {
    messages.add_call(item.required("call_id"), item.required("name"), json::value(item.required("arguments")));
  } else if (item.type == "function_call_output") {
    if (!item.fields.find("output")) throw invalid_field(item.path("output"), "is missing");
    messages.add_result(item.required("call_id"), read_text(item.fields, "output", kContent));
  } else if (item.type == "reasoning") {
    add_reasoning(item, messages);
  } else {
    item.refuse_type("message, function_call, function_call_output or reasoning");
  }
}

json::array messages_of(const JsonFields& fields, const json::storage_ptr& memory) {
  ChatMessageWriter messages(memory);
  if (const auto instructions = fields.string("instructions")) messages.add("system", *instructions);
  const json::value* input = fields.find("input");
  if (input == nullptr) throw invalid_field("input", "is missing");
  if (const json::string* text = input->if_string()) {
    messages.add("user", *text);
  } else if (const json::array* items = input->if_array()) {
    if (items->empty()) throw invalid_field("input", "is empty");
    for (size_t i = 0; i < items->size(); ++i) add_item((*items)[i], fmt::format("input[{}]", i), messages);
  } else {
    throw invalid_field("input", "must be a string or a list of items");
  }
  return messages.take();
}

json::array tools_of(const json::array& list, const json::storage_ptr& memory) {
  json::array tools(memory);
  for (size_t i = 0; i < list.size(); ++i) {
    const JsonBlock tool = read_block(list[i], fmt::format("tools[{}]", i));
    if (tool.type != "function") tool.refuse_type("function: the server runs no tools itself");
    tools.emplace_back(chat_tool(tool, "parameters", memory));
  }
  return tools;
}

void read_tool_choice(const JsonFields& fields, json::object& chat) {
  const json::value* value = fields.find("tool_choice");
  if (value == nullptr) return;
  if (value->is_string()) {
    chat["tool_choice"] = *value;
    return;
  }
  const JsonBlock choice = read_block(*value, "tool_choice");
  if (choice.type == "allowed_tools") {
    chat["tool_choice"] = *value;
    return;
  }
  if (choice.type != "function") choice.refuse_type("function or allowed_tools");
  chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", choice.required("name")}}}};
}

void read_format(const JsonFields& fields, json::object& chat) {
  const json::object* text = fields.object("text");
  if (text == nullptr) return;
  const json::value* value = JsonFields(*text, "text.").find("format");
  if (value == nullptr) return;
  const JsonBlock format = read_block(*value, "text.format");
  if (format.type != "text" && format.type != "json_object" && format.type != "json_schema")
    format.refuse_type("text, json_object or json_schema");
  json::object response_format(chat.storage());
  response_format["type"] = format.type;
  if (format.type == "json_schema") {
    const json::object* schema = format.fields.object("schema");
    if (schema == nullptr) throw invalid_field(format.path("schema"), "is missing");
    json::object described(chat.storage());
    described["name"] = format.required("name");
    described["schema"] = *schema;
    if (const auto strict = format.fields.boolean("strict")) described["strict"] = *strict;
    response_format["json_schema"] = std::move(described);
  }
  chat["response_format"] = std::move(response_format);
}

void read_logprobs(const JsonFields& fields, json::object& chat) {
  const auto n_best = fields.integer("top_logprobs", 0, 20);
  const json::array* included = fields.array("include");
  if (included == nullptr) return;
  for (const json::value& name : *included) {
    if (name != "message.output_text.logprobs") continue;
    chat["logprobs"] = true;
    chat["top_logprobs"] = n_best.value_or(0);
  }
}

// Whether a summary of the thoughts is wanted.
bool read_reasoning(const JsonFields& fields, json::object& chat) {
  const json::object* object = fields.object("reasoning");
  if (object == nullptr) return false;
  const JsonFields reasoning(*object, "reasoning.");
  if (const auto effort = reasoning.string("effort")) chat["reasoning_effort"] = *effort;
  return reasoning.string("summary").has_value();
}

ChatRequest read_chat(const json::object& chat, const SamplingOptions& defaults, int vocab_size) {
  try {
    return read_chat_request(chat, defaults, vocab_size);
  } catch (ApiError& error) {
    for (const auto& [name, known] : kNames) {
      if (error.param.substr(0, error.param.find_first_of(".[")) != name) continue;
      const std::string head = fmt::format("request: {}", name);
      if (error.message.starts_with(head))
        error.message = fmt::format("request: {}{}", known, error.message.substr(head.size()));
      error.param.replace(0, name.size(), known);
      break;
    }
    throw;
  }
}

json::object repeated_of(const JsonFields& fields, const json::storage_ptr& memory) {
  json::object repeated(memory);
  const auto repeat = [&](std::string_view name, json::value otherwise) {
    const json::value* value = fields.find(name);
    repeated[name] = value ? *value : std::move(otherwise);
  };
  repeat("instructions", nullptr);
  repeat("max_output_tokens", nullptr);
  repeat("metadata", json::object());
  repeat("parallel_tool_calls", true);
  repeat("reasoning", {{"effort", nullptr}, {"summary", nullptr}});
  repeat("temperature", nullptr);
  repeat("text", {{"format", {{"type", "text"}}}});
  repeat("tool_choice", "auto");
  repeat("tools", json::array());
  repeat("top_logprobs", 0);
  repeat("top_p", nullptr);
  repeat("truncation", "disabled");
  return repeated;
}

}  // namespace

ResponseRequest read_response_request(const json::object& body, const SamplingOptions& defaults, int vocab_size) {
  const JsonFields fields(body);
  const json::storage_ptr& memory = body.storage();
  refuse_state(fields);
  fields.object("metadata");
  json::object chat(memory);
  chat["messages"] = messages_of(fields, memory);
  chat["continue_final_message"] = false;  // items are complete
  if (const json::array* tools = fields.array("tools"); tools && !tools->empty())
    chat["tools"] = tools_of(*tools, memory);
  read_tool_choice(fields, chat);
  if (const auto parallel = fields.boolean("parallel_tool_calls")) chat["parallel_tool_calls"] = *parallel;
  read_format(fields, chat);
  read_logprobs(fields, chat);
  const bool summarizes = read_reasoning(fields, chat);
  if (const json::value* value = fields.find("max_output_tokens")) chat["max_tokens"] = *value;
  for (const std::string_view name : {"temperature", "top_p", "stream"})
    if (const json::value* value = fields.find(name)) chat[name] = *value;

  ResponseRequest request{read_chat(chat, defaults, vocab_size), repeated_of(fields, memory), summarizes};
  request.chat.options.max_tokens_field = "max_output_tokens";
  return request;
}

}  // namespace paro::server
