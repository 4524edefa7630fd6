// The body of Anthropic's /messages, checked and made into a chat request, so that one path renders and answers both.
#pragma once

#include <boost/json/object.hpp>

#include "server/chat_request.h"

namespace paro::server {

struct MessageRequest {
  ChatRequest chat;
  bool shows_thinking = true;  // false: thoughts are left out of the answer, though not their blocks
};

// Throws ApiError 400. The options' max_tokens has no value where the request has none, which only counting allows.
MessageRequest read_message_request(const boost::json::object& body, const SamplingOptions& defaults, int vocab_size);

}  // namespace paro::server
