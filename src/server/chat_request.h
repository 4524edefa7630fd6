// The body of /chat/completions, checked: what is here has the types of the schema and asks for what the server can do.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "server/content_rule.h"
#include "server/generation_options.h"
#include "server/tool_choice.h"

namespace paro::server {

struct ChatRequest {
  explicit ChatRequest(const boost::json::storage_ptr& memory)
      : messages(memory), tools(memory), template_variables(memory) {}

  boost::json::array messages;
  boost::json::array tools;                // shown to the model; empty: none, or tool_choice none
  boost::json::object template_variables;  // chat_template_kwargs, enable_thinking among them
  bool add_generation_prompt = true;
  ToolChoice tool_choice;
  std::optional<ContentRule> content_rule;
  std::optional<int> thinking_budget;  // tokens; -1: none
  std::string prefill;                 // what the answer begins with: the model's to continue, and not told again
  GenerationOptions options;
};

// Throws ApiError 400.
ChatRequest read_chat_request(const boost::json::object& body, const SamplingOptions& defaults, int vocab_size);

}  // namespace paro::server
