#include "server/chat_request.h"

#include <algorithm>
#include <array>
#include <limits>

#include "server/api_error.h"

namespace paro::server {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> kRoles{"system", "developer", "user", "assistant", "tool"};

void check_parts(const json::array& parts, const std::string& path) {
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string at = fmt::format("{}[{}]", path, i);
    if (!parts[i].is_object()) throw invalid_field(at, "must be an object with type and text");
    const JsonFields part(parts[i].get_object(), at + ".");
    const std::string type = part.string("type").value_or("");
    if (type != "text")
      throw invalid_field(at + ".type", fmt::format("is '{}', but this model reads parts of type text only", type));
    if (!part.string("text")) throw invalid_field(at + ".text", "is missing");
  }
}

void check_calls(const json::array& calls, const std::string& path) {
  for (size_t i = 0; i < calls.size(); ++i) {
    const std::string at = fmt::format("{}[{}]", path, i);
    if (!calls[i].is_object()) throw invalid_field(at, "must be an object");
    const JsonFields call(calls[i].get_object(), at + ".");
    call.string("id");
    call.string("type");
    const json::object* object = call.object("function");
    if (object == nullptr) throw invalid_field(at + ".function", "is missing");
    const JsonFields function(*object, at + ".function.");
    if (!function.string("name")) throw invalid_field(at + ".function.name", "is missing");
    const json::value* arguments = function.find("arguments");
    if (arguments && !arguments->is_string() && !arguments->is_object())
      throw invalid_field(at + ".function.arguments", "must be a string of JSON or an object");
  }
}

void check_message(const json::value& value, const std::string& at) {
  if (!value.is_object()) throw invalid_field(at, "must be an object with role and content");
  const JsonFields message(value.get_object(), at + ".");
  const std::optional<std::string> role = message.string("role");
  if (!role) throw invalid_field(at + ".role", "is missing");
  if (std::find(kRoles.begin(), kRoles.end(), *role) == kRoles.end())
    throw invalid_field(at + ".role",
                        fmt::format("is '{}', must be system, developer, user, assistant or tool", *role));
  const json::array* calls = message.array("tool_calls");
  if (calls) check_calls(*calls, at + ".tool_calls");
  for (const std::string_view name : {"name", "tool_call_id", "reasoning", "reasoning_content"}) message.string(name);

  const json::value* content = message.find("content");
  if (content == nullptr) {
    if (*role != "assistant") throw invalid_field(at + ".content", "is missing");
  } else if (content->is_array()) {
    check_parts(content->get_array(), at + ".content");
  } else if (!content->is_string()) {
    throw invalid_field(at + ".content", "must be a string or a list of parts");
  }
}

void check_tool(const json::value& value, const std::string& at) {
  if (!value.is_object()) throw invalid_field(at, "must be an object with type and function");
  const JsonFields tool(value.get_object(), at + ".");
  if (tool.string("type").value_or("function") != "function") throw invalid_field(at + ".type", "must be function");
  const json::object* object = tool.object("function");
  if (object == nullptr) throw invalid_field(at + ".function", "is missing");
  const JsonFields function(*object, at + ".function.");
  if (function.string("name").value_or("").empty()) throw invalid_field(at + ".function.name", "is missing");
  function.string("description");
  if (const json::object* parameters = function.object("parameters"))
    JsonFields(*parameters, at + ".function.parameters.").object("properties");
}

// The template decides what is made of it, unless it has a variable of its own.
void read_reasoning(const JsonFields& fields, ChatRequest& request) {
  constexpr int kMost = std::numeric_limits<int>::max();
  const auto read_effort = [&](const std::optional<std::string>& effort) {
    if (effort) request.template_variables["enable_thinking"] = *effort != "none";
  };
  const auto read_budget = [&](const std::optional<int64_t>& budget) {
    if (budget) request.thinking_budget = static_cast<int>(*budget);
  };
  read_effort(fields.string("reasoning_effort"));
  if (const json::object* object = fields.object("reasoning")) {
    const JsonFields reasoning(*object, "reasoning.");
    read_effort(reasoning.string("effort"));
    if (const auto enabled = reasoning.boolean("enabled")) request.template_variables["enable_thinking"] = *enabled;
    read_budget(reasoning.integer("max_tokens", 0, kMost));
  }
  if (const json::object* variables = fields.object("chat_template_kwargs")) {
    for (const auto& [name, value] : *variables) request.template_variables[name] = value;
    read_budget(JsonFields(*variables, "chat_template_kwargs.").integer("thinking_budget", -1, kMost));
  }
  read_budget(fields.integer("thinking_budget_tokens", -1, kMost));
}

bool is_assistants(const json::value& message) { return message.at("role") == "assistant"; }

std::string text_of(const json::value* content) {
  if (content == nullptr || content->is_null()) return {};
  if (const json::string* text = content->if_string()) return std::string(*text);
  std::string text;
  for (const json::value& part : content->get_array()) text += part.at("text").get_string();
  return text;
}

// A last message of the assistant's is the beginning of the answer, unless the request says otherwise.
void take_prefill(const JsonFields& fields, ChatRequest& request) {
  const std::optional<bool> continues = fields.boolean("continue_final_message");
  const std::optional<bool> prompts = fields.boolean("add_generation_prompt");
  const json::object& last = request.messages.back().get_object();
  const json::array* calls = JsonFields(last).array("tool_calls");
  const bool can_continue = is_assistants(request.messages.back()) && (calls == nullptr || calls->empty());
  if (continues == true) {
    if (prompts == true)
      throw invalid_field("continue_final_message", "cannot be true together with add_generation_prompt");
    if (!can_continue)
      throw invalid_field("continue_final_message", "needs a last message of the assistant's, without calls");
  }
  if (!can_continue || continues == false || (!continues && prompts == false)) return;

  const size_t n = request.messages.size();
  if (n > 1 && is_assistants(request.messages[n - 2]))
    throw invalid_field("messages", "end with several messages of the assistant's, of which only one can be continued");
  if (const json::value* thinks = request.template_variables.if_contains("enable_thinking"); thinks && *thinks == true)
    throw invalid_field("messages",
                        "end with the beginning of an answer, which comes behind thoughts; turn thinking off");
  request.prefill = text_of(last.if_contains("content"));
  request.messages.pop_back();
  if (request.messages.empty()) throw invalid_field("messages", "must have a message before the one to continue");
  request.add_generation_prompt = true;
}

void read_logprobs(const JsonFields& fields, SamplingOptions& sampling) {
  const bool wanted = fields.boolean("logprobs").value_or(false);
  const auto n_best = fields.integer("top_logprobs", 0, 20);
  if (n_best.value_or(0) > 0 && !wanted) throw invalid_field("top_logprobs", "needs logprobs to be true");
  sampling.n_logprobs = wanted ? static_cast<int>(n_best.value_or(0)) : -1;
}

}  // namespace

ChatRequest read_chat_request(const json::object& body, const SamplingOptions& defaults, int vocab_size) {
  const JsonFields fields(body);
  ChatRequest request(body.storage());
  const json::array* messages = fields.array("messages");
  if (messages == nullptr || messages->empty()) throw invalid_field("messages", "must have at least one message");
  for (size_t i = 0; i < messages->size(); ++i) check_message((*messages)[i], fmt::format("messages[{}]", i));
  request.messages = *messages;

  const json::array* tools = fields.array("tools");
  if (tools)
    for (size_t i = 0; i < tools->size(); ++i) check_tool((*tools)[i], fmt::format("tools[{}]", i));
  request.tool_choice = read_tool_choice(fields, tools);
  if (request.tool_choice.kind != ToolChoice::Kind::none) request.tools = *tools;
  request.content_rule = read_content_rule(fields, body.storage());
  read_reasoning(fields, request);
  request.add_generation_prompt = fields.boolean("add_generation_prompt").value_or(true);
  take_prefill(fields, request);

  request.options = read_generation_options(fields, defaults, vocab_size);
  read_logprobs(fields, request.options.sampling);
  return request;
}

}  // namespace paro::server
