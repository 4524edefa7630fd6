// Messages to prompt text through the model's chat template. What the template can read is found out once, by trial.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "text/chat_format_messages.h"
#include "text/chat_template.h"

namespace paro::server {

struct ChatRequest;

class PromptRenderer {
 public:
  // `chat_template` outlives this.
  PromptRenderer(const text::ChatTemplate& chat_template, std::string bos_token, std::string eos_token,
                 bool tool_results_as_objects, int64_t max_prompt_bytes);

  // Throws Error{request} with what the template raised, Error{context_length} when it gives more than
  // max_prompt_bytes, Error{chat_template} when it fails.
  std::string render(const ChatRequest& request) const;

 private:
  std::string render(boost::json::object variables, boost::json::array messages) const;
  bool reads_parts() const;

  const text::ChatTemplate& template_;
  std::string bos_token_, eos_token_;
  text::MessageRules rules_;
  text::RenderOptions limits_;
};

}  // namespace paro::server
