// The OpenAPI document of all routes: JSON, made when the program is built.
#pragma once

#include <string_view>

namespace paro::server {

std::string_view openapi_text();

}  // namespace paro::server
