#include "server/routes.h"

#include <array>

#include "server/api_error.h"

namespace paro::server {
namespace {

using boost::beast::http::verb;

constexpr std::array kRoutes{
    Route{verb::post, "/chat/completions", true, handle_chat_completions},
    Route{verb::post, "/completions", true, handle_completions},
    Route{verb::get, "/models", true, handle_models},
    Route{verb::get, "/models/", true, handle_model},
    Route{verb::get, "/health", false, handle_health},
    Route{verb::get, "/memory", true, handle_memory},
    Route{verb::post, "/tokenize", true, handle_tokenize},
    Route{verb::post, "/detokenize", true, handle_detokenize},
    Route{verb::post, "/apply-template", true, handle_apply_template},
};

bool matches(const Route& route, std::string_view path) {
  return route.path.ends_with('/') ? path.starts_with(route.path) && path.size() > route.path.size()
                                   : path == route.path;
}

}  // namespace

const Route& find_route(verb method, std::string_view path) {
  const Route* other = nullptr;
  for (const Route& route : kRoutes) {
    if (!matches(route, path)) continue;
    if (route.method == method) return route;
    other = &route;
  }
  if (other == nullptr)
    throw ApiError(404, "not_found_error", "not_found", fmt::format("request: there is no route {}", path));
  const std::string_view allowed = other->method == verb::get ? "GET" : "POST";
  throw ApiError(405, "invalid_request_error", "method_not_allowed",
                 fmt::format("request: {} takes {} only", path, allowed));
}

}  // namespace paro::server
