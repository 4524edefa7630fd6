// Which pages of other origins may use the server from a browser (CORS). Credentials are never allowed: a page has to
// know the API key.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_request.h"

namespace paro::server {

// Origins as ServerOptions::cors_origins has them, from what a user gives: in lower case; "none" alone is an empty
// list. Throws Error{usage} for what no browser sends as an origin.
std::vector<std::string> parse_origins(const std::vector<std::string>& given);

// Whether `origins` lets pages of `origin` read answers.
bool allows_origin(const std::vector<std::string>& origins, std::string_view origin);

// Throws ApiError 403: the request comes from a page of an origin that is neither allowed nor the server's own.
void check_origin(const HttpHeader& header, const std::vector<std::string>& origins);

// What the answer to `request` tells the browser. `methods` are those of the route, for a preflight.
void set_cors_fields(boost::beast::http::fields& answer, const HttpHeader& request,
                     const std::vector<std::string>& origins, std::string_view methods);

}  // namespace paro::server
