// Requests as HTTP brings them: the parser with its limits, and what is read from target and headers.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/api_error.h"

namespace paro::server {

using HttpRequest = boost::beast::http::request<boost::beast::http::string_body>;
using HttpHeader = boost::beast::http::request_header<>;
using HttpParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

void set_limits(HttpParser& parser, uint32_t max_header_bytes, uint64_t max_body_bytes);

// What is answered to bytes that the parser refuses; nothing when the connection itself failed or ended.
std::optional<ApiError> api_error_of(boost::system::error_code failure, uint64_t max_body_bytes);

// The path of a target as the routes spell it: without query, /v1 and a slash at the end, percent-decoded, UTF-8.
std::string route_path(std::string_view target);

// %41 and the like as the bytes that they stand for; what is no such code stays.
std::string percent_decoded(std::string_view text);

// The value of a name in a target's query, as it stands there; empty where it is not.
std::string_view query_value(std::string_view target, std::string_view name);

// Throws ApiError 415: a body that says it is something else than JSON.
void check_content_type(const HttpHeader& header);

// Whether Authorization: Bearer or X-Api-Key has one of the keys. Takes the same time for every key of one length.
bool has_key(const HttpHeader& header, const std::vector<std::string>& keys);

// The name that the client gave its request, X-Request-Id: up to 64 letters, digits and -_.:, else empty.
std::string_view client_request_id(const HttpHeader& header);

// Of the API that the client's headers speak.
bool names_anthropic_version(const HttpHeader& header);

bool expects_continue(const HttpHeader& header);

bool accepts_gzip(const HttpHeader& header);

// Whether the client holds that version already. `tag` is a weak one.
bool has_entity_tag(const HttpHeader& header, std::string_view tag);

}  // namespace paro::server
