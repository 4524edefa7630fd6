#include "server/message_request.h"

#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "server/api_error.h"

namespace paro::server {
namespace {

namespace json = boost::json;

// A block of content, or of anything else that tells its kind by `type`.
struct Block {
  std::string type;
  JsonFields fields;

  std::string at(std::string_view name) const { return fields.path(name); }
  std::string required(std::string_view name) const {
    std::optional<std::string> text = fields.string(name);
    if (!text) throw invalid_field(at(name), "is missing");
    return *std::move(text);
  }
};

Block block_of(const json::value& value, const std::string& at) {
  if (!value.is_object()) throw invalid_field(at, "must be an object with type");
  JsonFields fields(value.get_object(), at + ".");
  std::string type = fields.string("type").value_or("");
  return {std::move(type), std::move(fields)};
}

[[noreturn]] void refuse_type(const Block& block, std::string_view known) {
  throw invalid_field(block.at("type"), fmt::format("is '{}', must be {}", block.type, known));
}

// Blocks are separate texts; a line's end keeps them so.
void append_text(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += '\n';
  text += more;
}

// A string, or a list of text blocks; empty where there is none.
std::string text_of(const JsonFields& fields, std::string_view name) {
  const json::value* content = fields.find(name);
  if (content == nullptr) return {};
  if (const json::string* text = content->if_string()) return std::string(*text);
  if (!content->is_array()) throw invalid_field(fields.path(name), "must be a string or a list of text blocks");
  std::string text;
  const json::array& list = content->get_array();
  for (size_t i = 0; i < list.size(); ++i) {
    const Block block = block_of(list[i], fmt::format("{}[{}]", fields.path(name), i));
    if (block.type != "text") refuse_type(block, "text: the model reads no other content here");
    append_text(text, block.required("text"));
  }
  return text;
}

// Writes messages of the OpenAI schema.
class MessageWriter {
 public:
  explicit MessageWriter(const json::storage_ptr& memory) : messages_(memory) {}

  void add(std::string_view role, std::string_view content) {
    json::object message(messages_.storage());
    message["role"] = role;
    message["content"] = content;
    messages_.emplace_back(std::move(message));
  }

  void add_user(const json::array& content, const std::string& path) {
    std::string text;
    bool has_results = false;
    for (size_t i = 0; i < content.size(); ++i) {
      const Block block = block_of(content[i], fmt::format("{}[{}]", path, i));
      if (block.type == "text") {
        append_text(text, block.required("text"));
      } else if (block.type == "tool_result") {
        if (!text.empty()) add("user", std::exchange(text, {}));
        add_result(block);
        has_results = true;
      } else {
        refuse_type(block, "text or tool_result: the model reads no other content");
      }
    }
    if (!text.empty() || !has_results) add("user", text);
  }

  void add_assistant(const json::array& content, const std::string& path) {
    std::string text, thinking;
    json::array calls(messages_.storage());
    for (size_t i = 0; i < content.size(); ++i) {
      const Block block = block_of(content[i], fmt::format("{}[{}]", path, i));
      if (block.type == "text") {
        append_text(text, block.required("text"));
      } else if (block.type == "thinking") {
        append_text(thinking, block.required("thinking"));
      } else if (block.type == "tool_use") {
        calls.emplace_back(call_of(block));
      } else if (block.type != "redacted_thinking") {
        refuse_type(block, "text, thinking, redacted_thinking or tool_use");
      }
    }
    add("assistant", text);
    json::object& message = messages_.back().get_object();
    if (!thinking.empty()) message["reasoning_content"] = thinking;
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
  }

  json::array take() { return std::move(messages_); }

 private:
  void add_result(const Block& block) {
    const std::string id = block.required("tool_use_id");
    const bool is_error = block.fields.boolean("is_error").value_or(false);
    const std::string content = text_of(block.fields, "content");
    add("tool", is_error ? "Error: " + content : content);
    messages_.back().get_object()["tool_call_id"] = id;
  }

  json::object call_of(const Block& block) const {
    const json::object* input = block.fields.object("input");
    if (input == nullptr) throw invalid_field(block.at("input"), "is missing");
    json::object function(messages_.storage());
    function["name"] = block.required("name");
    function["arguments"] = *input;
    json::object call(messages_.storage());
    call["id"] = block.required("id");
    call["type"] = "function";
    call["function"] = std::move(function);
    return call;
  }

  json::array messages_;
};

json::array messages_of(const JsonFields& fields, const json::storage_ptr& memory) {
  MessageWriter writer(memory);
  if (const std::string system = text_of(fields, "system"); !system.empty()) writer.add("system", system);
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
      role == "user" ? writer.add_user(content->get_array(), at + ".content")
                     : writer.add_assistant(content->get_array(), at + ".content");
    } else {
      writer.add(role, text_of(message, "content"));
    }
  }
  return writer.take();
}

json::array tools_of(const json::array& list, const json::storage_ptr& memory) {
  json::array tools(memory);
  for (size_t i = 0; i < list.size(); ++i) {
    const Block tool = block_of(list[i], fmt::format("tools[{}]", i));
    if (!tool.type.empty() && tool.type != "custom") refuse_type(tool, "custom: the server runs no tools itself");
    const json::object* schema = tool.fields.object("input_schema");
    if (schema == nullptr) throw invalid_field(tool.at("input_schema"), "is missing");
    JsonFields(*schema, tool.at("input_schema.")).object("properties");
    json::object function(memory);
    function["name"] = tool.required("name");
    if (const auto description = tool.fields.string("description")) function["description"] = *description;
    function["parameters"] = *schema;
    if (const auto strict = tool.fields.boolean("strict")) function["strict"] = *strict;
    json::object entry(memory);
    entry["type"] = "function";
    entry["function"] = std::move(function);
    tools.emplace_back(std::move(entry));
  }
  return tools;
}

void read_tool_choice(const JsonFields& fields, json::object& chat) {
  const json::value* value = fields.find("tool_choice");
  if (value == nullptr) return;
  const Block choice = block_of(*value, "tool_choice");
  if (choice.type == "auto" || choice.type == "none") {
    chat["tool_choice"] = choice.type;
  } else if (choice.type == "any") {
    chat["tool_choice"] = "required";
  } else if (choice.type == "tool") {
    chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", choice.required("name")}}}};
  } else {
    refuse_type(choice, "auto, any, tool or none");
  }
  if (choice.fields.boolean("disable_parallel_tool_use").value_or(false)) chat["parallel_tool_calls"] = false;
}

// Whether thoughts are shown.
bool read_thinking(const JsonFields& fields, json::object& chat) {
  const json::value* value = fields.find("thinking");
  if (value == nullptr) return true;
  const Block thinking = block_of(*value, "thinking");
  if (thinking.type != "enabled" && thinking.type != "adaptive" && thinking.type != "disabled")
    refuse_type(thinking, "enabled, adaptive or disabled");
  chat["chat_template_kwargs"] = {{"enable_thinking", thinking.type != "disabled"}};
  thinking.fields.integer("budget_tokens", 1, std::numeric_limits<int>::max());
  return thinking.fields.string("display") != "omitted";
}

void read_output_config(const JsonFields& fields, json::object& chat) {
  const json::object* config = fields.object("output_config");
  if (config == nullptr) return;
  const json::value* value = JsonFields(*config, "output_config.").find("format");
  if (value == nullptr) return;
  const Block format = block_of(*value, "output_config.format");
  if (format.type != "json_schema") refuse_type(format, "json_schema");
  const json::object* schema = format.fields.object("schema");
  if (schema == nullptr) throw invalid_field(format.at("schema"), "is missing");
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
