#include "server/http_response.h"

#include <fmt/format.h>

#include <iterator>

namespace paro::server {

std::string header_text(const HttpResponse& response) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "HTTP/{}.{} {} {}\r\n", response.version() / 10, response.version() % 10, response.result_int(),
                 std::string_view(response.reason()));
  for (const auto& field : response)
    fmt::format_to(out, "{}: {}\r\n", std::string_view(field.name_string()), std::string_view(field.value()));
  text += "\r\n";
  return text;
}

std::string chunk_header(size_t n_bytes) { return fmt::format("{:x}\r\n", n_bytes); }

}  // namespace paro::server
