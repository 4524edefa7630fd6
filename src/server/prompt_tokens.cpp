#include "server/prompt_tokens.h"

#include "server/api_error.h"

namespace paro::server {

std::string chat_prompt(const ChatRequest& request, const Service& service, std::string_view param) {
  if (!service.renderer)
    throw invalid_field(param, "cannot be used: the model has no chat template; use /v1/completions");
  try {
    return service.renderer->render(request) + request.prefill;
  } catch (const Error& error) {
    const int64_t max_context = service.model.engine.info().max_context;
    if (error.kind() == ErrorKind::context_length) throw context_exceeded(param, max_context + 1, 1, max_context);
    // A template fails on messages that it was not written for, whether it says so itself or not.
    ApiError refusal(Error(ErrorKind::request, "request: {}", error.message()));
    refusal.param = param;
    throw refusal;
  }
}

std::vector<int32_t> chat_prompt_tokens(const ChatRequest& request, const Service& service, std::string_view param) {
  const std::string prompt = chat_prompt(request, service, param);
  service.check_length(prompt, param);
  std::vector<int32_t> ids = service.model.tokenizer.encode(prompt, false);
  if (ids.empty()) throw invalid_field(param, "give an empty prompt");
  return ids;
}

text::ParserOptions chat_parser_options(const ChatRequest& request, std::span<const int32_t> prompt,
                                        const Service& service) {
  text::ParserOptions options;
  options.in_thought = service.format.thought_at_end(service.model.tokenizer, prompt) == text::ThoughtState::open;
  options.reads_calls = !request.tools.empty();
  if (!options.reads_calls) return options;
  options.tools = std::make_shared<const text::OfferedTools>(request.tools);
  if (options.tools->memory_bytes() > kMaxToolsBytes)
    throw invalid_field("tools", fmt::format("have names that take {} bytes, at most {} are kept for an answer",
                                             options.tools->memory_bytes(), kMaxToolsBytes));
  return options;
}

std::vector<int32_t> text_prompt_tokens(std::string_view text, std::string_view param, const Service& service) {
  service.check_length(text, param);
  return service.model.tokenizer.encode(text, true);
}

}  // namespace paro::server
