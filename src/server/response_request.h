// The body of /responses, checked and made into a chat request. Nothing is stored: a conversation comes whole each
// time.
#pragma once

#include <boost/json/object.hpp>

#include "server/chat_request.h"

namespace paro::server {

struct ResponseRequest {
  ChatRequest chat;
  boost::json::object repeated;      // members of the request that its response has too, with their defaults
  bool summarizes_thoughts = false;  // they come as the summary that was asked for
};

// Throws ApiError 400.
ResponseRequest read_response_request(const boost::json::object& body, const SamplingOptions& defaults, int vocab_size);

}  // namespace paro::server
