#include "server/prompt_renderer.h"

#include <utility>

#include "base/error.h"
#include "server/chat_request.h"

namespace paro::server {

namespace json = boost::json;

PromptRenderer::PromptRenderer(const text::ChatTemplate& chat_template, std::string bos_token, std::string eos_token,
                               bool tool_results_as_objects, int64_t max_prompt_bytes)
    : template_(chat_template), bos_token_(std::move(bos_token)), eos_token_(std::move(eos_token)) {
  limits_.max_output_bytes = max_prompt_bytes;
  rules_.keeps_parts = reads_parts();
  rules_.tool_results_as_objects = tool_results_as_objects;
}

std::string PromptRenderer::render(const ChatRequest& request) const {
  json::object variables(request.template_variables, request.messages.storage());
  variables["tools"] = request.tools.empty() ? json::value(nullptr) : json::value(request.tools);
  variables["add_generation_prompt"] = request.add_generation_prompt;
  return render(std::move(variables), text::prepare_messages(request.messages, rules_));
}

std::string PromptRenderer::render(json::object variables, json::array messages) const {
  variables["messages"] = std::move(messages);
  variables["bos_token"] = bos_token_;
  variables["eos_token"] = eos_token_;
  return template_.render(variables, limits_);
}

// A template reads parts if it makes of one text part what it makes of the text.
bool PromptRenderer::reads_parts() const {
  const auto prompt_of = [&](json::value content) {
    json::object message;
    message["role"] = "user";
    message["content"] = std::move(content);
    json::object variables;
    variables["tools"] = nullptr;
    variables["add_generation_prompt"] = true;
    return render(std::move(variables), json::array{json::value(std::move(message))});
  };
  json::object part;
  part["type"] = "text";
  part["text"] = "probe";
  json::array parts;
  parts.emplace_back(std::move(part));
  try {
    return prompt_of(json::value(std::move(parts))) == prompt_of("probe");
  } catch (const Error&) {
    return false;
  }
}

}  // namespace paro::server
