// What can be wrong outside the program: a file, a request, the memory, a device. Thrown as Error, told to the user as
// one sentence "what: expected, got, where; what to do". Bugs of the program itself are PARO_CHECK's (check.h).
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace paro {

enum class ErrorKind {
  usage,           // command line or option values
  io,              // a file or socket cannot be opened, read or written
  checkpoint,      // safetensors or the tensors they hold
  config,          // config.json, generation_config.json
  tokenizer,       // tokenizer.json
  chat_template,   // the template does not parse, or raises while rendering
  request,         // a request's fields
  not_found,       // an unknown model or route
  context_length,  // a prompt that exceeds the context
  memory,          // the plan does not fit, or a request never can
  unavailable,     // cannot be served now: queue full, stopping
  cancelled,
  internal,  // a failed PARO_CHECK
};

class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

  // Error(kind, format, arguments...)
  template <typename... Args>
  Error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) requires(sizeof...(Args) > 0)
      : Error(kind, fmt::format(format, std::forward<Args>(args)...)) {}

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // The same error with "<prefix>: " before its message.
  Error in(std::string_view prefix) const { return Error(kind_, fmt::format("{}: {}", prefix, message_)); }

 private:
  ErrorKind kind_;
  std::string message_;
};

std::string_view to_string(ErrorKind kind);

}  // namespace paro
