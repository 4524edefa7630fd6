#include "server/error_dialect.h"

#include <string>
#include <string_view>
#include <utility>

namespace paro::server {
namespace {

namespace json = boost::json;

std::string_view anthropic_type(unsigned status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

// Clients shorten their conversation on `prompt is too long: N tokens > M maximum`.
std::string anthropic_message(const ApiError& error) {
  const json::value* n_prompt_tokens = error.members.if_contains("n_prompt_tokens");
  const json::value* n_ctx = error.members.if_contains("n_ctx");
  if (error.code != "context_length_exceeded" || n_prompt_tokens == nullptr || n_ctx == nullptr) return error.message;
  return fmt::format("request: prompt is too long: {} tokens > {} maximum; shorten the messages",
                     n_prompt_tokens->as_int64(), n_ctx->as_int64());
}

ErrorAnswer anthropic_answer(const ApiError& error, std::string_view request_id) {
  json::object description;
  description["type"] = anthropic_type(error.status);
  description["message"] = anthropic_message(error);
  ErrorAnswer answer;
  answer.status = error.status == 503 ? kOverloadedStatus : error.status;
  answer.body["type"] = "error";
  answer.body["error"] = std::move(description);
  answer.body["request_id"] = request_id;
  return answer;
}

}  // namespace

ErrorAnswer error_answer(const ApiError& error, Dialect dialect, std::string_view request_id) {
  return dialect == Dialect::anthropic ? anthropic_answer(error, request_id) : ErrorAnswer{error.status, error.body()};
}

}  // namespace paro::server
