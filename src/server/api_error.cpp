#include "server/api_error.h"

#include <algorithm>
#include <array>
#include <new>

#include "base/check.h"

namespace paro::server {
namespace {

namespace json = boost::json;

struct Row {
  ErrorKind kind;
  unsigned status;
  std::string_view type;
  std::string_view code;
};

constexpr std::string_view kInvalidRequest = "invalid_request_error";
constexpr std::string_view kServerError = "server_error";

// The table. Kinds that concern files and options can only reach a client as our own failure.
constexpr std::array kRows{
    Row{ErrorKind::request, 400, kInvalidRequest, "invalid_request"},
    Row{ErrorKind::context_length, 400, kInvalidRequest, "context_length_exceeded"},
    Row{ErrorKind::memory, 400, kInvalidRequest, "memory_plan_exceeded"},
    Row{ErrorKind::not_found, 404, kInvalidRequest, "not_found"},
    Row{ErrorKind::unavailable, 503, "unavailable_error", "unavailable"},
    Row{ErrorKind::cancelled, 503, "unavailable_error", "cancelled"},
    Row{ErrorKind::chat_template, 500, kServerError, "chat_template_error"},
    Row{ErrorKind::usage, 500, kServerError, "internal_error"},
    Row{ErrorKind::io, 500, kServerError, "internal_error"},
    Row{ErrorKind::checkpoint, 500, kServerError, "internal_error"},
    Row{ErrorKind::config, 500, kServerError, "internal_error"},
    Row{ErrorKind::tokenizer, 500, kServerError, "internal_error"},
    Row{ErrorKind::internal, 500, kServerError, "internal_error"},
};

const Row& row_of(ErrorKind kind) {
  const auto row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.kind == kind; });
  return row == kRows.end() ? kRows.back() : *row;
}

}  // namespace

ApiError::ApiError(const Error& error)
    : ApiError(row_of(error.kind()).status, std::string(row_of(error.kind()).type),
               std::string(row_of(error.kind()).code), error.message()) {}

json::object ApiError::body() const {
  json::object error;
  error["message"] = message;
  error["type"] = type;
  error["param"] = param.empty() ? json::value(nullptr) : json::value(param);
  error["code"] = code;
  for (const auto& [key, value] : members) error[key] = value;
  json::object body;
  body["error"] = std::move(error);
  return body;
}

ApiError invalid_field(std::string_view param, std::string_view problem) {
  ApiError error(Error(ErrorKind::request, "request: {} {}", param, problem));
  error.param = param;
  return error;
}

ApiError context_exceeded(std::string_view param, int64_t n_prompt_tokens, int64_t max_tokens, int64_t max_context) {
  ApiError error(
      Error(ErrorKind::context_length,
            "This model's maximum context length is {} tokens. The request has {} tokens in the prompt and "
            "asks for {} more, which exceeds the available context size; shorten the messages or lower max_tokens.",
            max_context, n_prompt_tokens, max_tokens));
  error.param = param;
  error.members["n_prompt_tokens"] = n_prompt_tokens;
  error.members["n_ctx"] = max_context;
  return error;
}

ApiError api_error_of(std::exception_ptr failure) {
  try {
    std::rethrow_exception(std::move(failure));
  } catch (const ApiError& error) {
    return error;
  } catch (const Error& error) {
    return ApiError(error);
  } catch (const std::bad_alloc&) {
    return ApiError(Error(ErrorKind::unavailable, "request: no memory is free to read it; try again or send less"));
  } catch (const std::exception& error) {
    return ApiError(Error(ErrorKind::internal, "internal: {}", error.what()));
  } catch (...) {
    return ApiError(Error(ErrorKind::internal, "internal: unknown failure"));
  }
}

}  // namespace paro::server
