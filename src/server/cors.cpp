#include "server/cors.h"

#include <algorithm>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>
#include <cctype>

#include "server/api_error.h"

namespace paro::server {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return lower;
}

// scheme://host[:port], and nothing after it.
bool is_origin(std::string_view text) {
  const size_t scheme_end = text.find("://");
  if (scheme_end == text.npos || scheme_end == 0) return false;
  const std::string_view scheme = text.substr(0, scheme_end), host = text.substr(scheme_end + 3);
  const auto is_of_scheme = [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '-' || c == '.'; };
  const auto is_of_host = [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '.' || c == ':' || c == '[' || c == ']' || c == '_';
  };
  return std::all_of(scheme.begin(), scheme.end(), is_of_scheme) && !host.empty() &&
         std::all_of(host.begin(), host.end(), is_of_host);
}

bool allows_any(const std::vector<std::string>& origins) {
  return std::find(origins.begin(), origins.end(), "*") != origins.end();
}

}  // namespace

std::vector<std::string> parse_origins(const std::vector<std::string>& given) {
  if (given.size() == 1 && given.front() == "none") return {};
  std::vector<std::string> origins;
  for (const std::string& text : given) {
    if (text != "*" && text != "null" && !is_origin(text)) {
      throw Error(ErrorKind::usage,
                  "--cors-origin is '{}', expected scheme://host[:port] such as https://chat.example.org, without a "
                  "slash at the end, * for any, null for pages from files, or none alone",
                  text);
    }
    origins.push_back(in_lower_case(text));
  }
  return origins;
}

bool allows_origin(const std::vector<std::string>& origins, std::string_view origin) {
  if (origin.empty()) return false;
  return allows_any(origins) || std::find(origins.begin(), origins.end(), in_lower_case(origin)) != origins.end();
}

void check_origin(const HttpHeader& header, const std::vector<std::string>& origins) {
  const std::string_view origin = view(header[http::field::origin]);
  if (origin.empty() || allows_origin(origins, origin)) return;
  const size_t host = origin.find("://");
  if (host != origin.npos && in_lower_case(origin.substr(host + 3)) == in_lower_case(view(header[http::field::host])))
    return;
  throw ApiError(403, "permission_error", "origin_not_allowed",
                 "request: pages of this origin may not use the server; start it with --cors-origin to allow them");
}

void set_cors_fields(http::fields& answer, const HttpHeader& request, const std::vector<std::string>& origins,
                     std::string_view methods) {
  const bool any = allows_any(origins);
  const auto origin = request[http::field::origin];
  const bool allowed = any || allows_origin(origins, view(origin));
  if (!any && !origins.empty()) answer.set(http::field::vary, "Origin");  // caches keep an answer for each
  if (!allowed) return;
  answer.set(http::field::access_control_allow_origin, any ? beast::string_view("*") : origin);
  answer.set(http::field::access_control_expose_headers, "Retry-After, X-Request-Id, Request-Id");
  if (request.method() != http::verb::options) return;
  answer.set(http::field::access_control_allow_methods, beast::string_view(methods.data(), methods.size()));
  const auto headers = request[http::field::access_control_request_headers];
  answer.set(http::field::access_control_allow_headers, headers.empty() ? "*" : headers);
  answer.set(http::field::access_control_max_age, "86400");
}

}  // namespace paro::server
