// What a client is told when something is wrong: HTTP status and the members of the `error` object. The one table from
// ErrorKind to status is in api_error.cpp.
#pragma once

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace paro::server {

class ApiError : public std::exception {
 public:
  unsigned status = 500;
  std::string type, code, message;
  std::string param;            // the request's field; empty: null
  boost::json::object members;  // further ones of the error object

  ApiError(unsigned http_status, std::string error_type, std::string error_code, std::string text)
      : status(http_status), type(std::move(error_type)), code(std::move(error_code)), message(std::move(text)) {}
  explicit ApiError(const Error& error);

  const char* what() const noexcept override { return message.c_str(); }
  boost::json::object body() const;  // {"error": {...}}
};

// 400 about one field of the request: invalid_field("temperature", "must be ...").
ApiError invalid_field(std::string_view param, std::string_view problem);

// 400 in the words that agents look for. `param` is the field to shorten.
ApiError context_exceeded(std::string_view param, int64_t n_prompt_tokens, int64_t max_tokens, int64_t max_context);

// The error in flight, whatever it is.
ApiError api_error_of(std::exception_ptr failure);

}  // namespace paro::server
