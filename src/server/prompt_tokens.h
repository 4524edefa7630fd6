// From a checked request to the token ids of its prompt.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/chat_request.h"
#include "server/service.h"

namespace paro::server {

// The rendered template. Throws ApiError 400 about `param` when the model has none, or cannot read the messages.
std::string chat_prompt(const ChatRequest& request, const Service& service, std::string_view param = "messages");

// The template writes <bos> itself, so none is added.
std::vector<int32_t> chat_prompt_tokens(const ChatRequest& request, const Service& service,
                                        std::string_view param = "messages");

// How the answer to that prompt is read. Throws ApiError 400 when the tools have too many names to be kept meanwhile.
text::ParserOptions chat_parser_options(const ChatRequest& request, std::span<const int32_t> prompt,
                                        const Service& service);

// Plain text, with the special tokens that the tokenizer puts around it.
std::vector<int32_t> text_prompt_tokens(std::string_view text, std::string_view param, const Service& service);

}  // namespace paro::server
