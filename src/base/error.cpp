#include "base/error.h"

namespace paro {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::io:
      return "io";
    case ErrorKind::checkpoint:
      return "checkpoint";
    case ErrorKind::config:
      return "config";
    case ErrorKind::tokenizer:
      return "tokenizer";
    case ErrorKind::chat_template:
      return "chat_template";
    case ErrorKind::request:
      return "request";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::context_length:
      return "context_length";
    case ErrorKind::memory:
      return "memory";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace paro
