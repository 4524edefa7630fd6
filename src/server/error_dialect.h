// Errors in the shape of the API that a client speaks.
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "server/api_error.h"

namespace paro::server {

enum class Dialect { openai, anthropic };

// Stands for 503 in Anthropic's API.
constexpr unsigned kOverloadedStatus = 529;

struct ErrorAnswer {
  unsigned status = 500;
  boost::json::object body;
};

// `request_id` as the answer's header has it.
ErrorAnswer error_answer(const ApiError& error, Dialect dialect, std::string_view request_id);

}  // namespace paro::server
