#include "server/http_request.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include "text/utf8.h"

namespace paro::server {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  return difference == 0;
}

}  // namespace

void set_limits(HttpParser& parser, uint32_t max_header_bytes, uint64_t max_body_bytes) {
  parser.header_limit(max_header_bytes);
  parser.body_limit(max_body_bytes);
}

std::optional<ApiError> api_error_of(boost::system::error_code failure, uint64_t max_body_bytes) {
  if (failure == http::error::body_limit)
    return ApiError(413, "invalid_request_error", "request_too_large",
                    fmt::format("request: the body exceeds {} bytes", max_body_bytes));
  if (failure == http::error::header_limit || failure == http::error::buffer_overflow)
    return ApiError(431, "invalid_request_error", "headers_too_large", "request: the headers are too large");
  if (failure == http::error::end_of_stream || failure == http::error::partial_message) return std::nullopt;
  if (failure.category() == make_error_code(http::error::bad_method).category())
    return ApiError(400, "invalid_request_error", "bad_request",
                    fmt::format("request: not valid HTTP: {}", failure.message()));
  return std::nullopt;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string route_path(std::string_view target) {
  target = target.substr(0, target.find_first_of("?#"));
  std::string path = text::replace_invalid_utf8(percent_decoded(target));
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.starts_with("/v1/")) path.erase(0, 3);
  return path;
}

std::string_view query_value(std::string_view target, std::string_view name) {
  const size_t question = target.find('?');
  std::string_view query = question == std::string_view::npos ? "" : target.substr(question + 1);
  while (!query.empty()) {
    const std::string_view field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(field.size() + 1, query.size()));
    if (field.starts_with(name) && field.substr(name.size()).starts_with('=')) return field.substr(name.size() + 1);
  }
  return {};
}

void check_content_type(const HttpHeader& header) {
  const std::string_view field = view(header[http::field::content_type]);
  if (field.empty()) return;
  std::string_view type = field.substr(0, field.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  if (!beast::iequals(beast::string_view(type.data(), type.size()), "application/json"))
    throw ApiError(415, "invalid_request_error", "unsupported_media_type",
                   "request: the content type must be application/json");
}

bool has_key(const HttpHeader& header, const std::vector<std::string>& keys) {
  constexpr std::string_view kBearer = "bearer ";
  std::string_view given = view(header[http::field::authorization]);
  const std::string_view scheme = given.substr(0, kBearer.size());
  if (beast::iequals(beast::string_view(scheme.data(), scheme.size()), "bearer ")) {
    given.remove_prefix(kBearer.size());
  } else {
    given = view(header["X-Api-Key"]);
  }
  if (given.empty()) return false;
  bool known = false;
  for (const std::string& key : keys) known |= same_secret(given, key);
  return known;
}

std::string_view client_request_id(const HttpHeader& header) {
  constexpr size_t kMaxBytes = 64;
  constexpr std::string_view kAllowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.:";
  const std::string_view id = view(header["X-Request-Id"]);
  return id.size() <= kMaxBytes && id.find_first_not_of(kAllowed) == id.npos ? id : std::string_view();
}

bool names_anthropic_version(const HttpHeader& header) { return header.count("anthropic-version") > 0; }

bool expects_continue(const HttpHeader& header) {
  return header.version() >= 11 && beast::iequals(header[http::field::expect], "100-continue");
}

bool accepts_gzip(const HttpHeader& header) {
  for (const auto& [coding, parameters] : http::ext_list(header[http::field::accept_encoding])) {
    if (!beast::iequals(coding, "gzip") && coding != "*") continue;
    return std::none_of(parameters.begin(), parameters.end(), [](const auto& parameter) {
      return beast::iequals(parameter.first, "q") && view(parameter.second).find_first_not_of("0.") == view("").npos;
    });
  }
  return false;
}

bool has_entity_tag(const HttpHeader& header, std::string_view tag) {
  const std::string_view opaque = tag.substr(tag.find('"'));
  const std::string_view known = view(header[http::field::if_none_match]);
  return known == "*" || known.find(opaque) != known.npos;
}

}  // namespace paro::server
