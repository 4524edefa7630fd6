#include "server/routes.h"

#include <algorithm>
#include <array>

#include "server/api_error.h"

namespace paro::server {
namespace {

using boost::beast::http::verb;

constexpr std::array kRoutes{
    Route{verb::post, "/chat/completions", true, handle_chat_completions},
    Route{verb::post, "/completions", true, handle_completions},
    Route{verb::post, "/responses", true, handle_responses},
    Route{verb::post, "/messages", true, handle_messages, Dialect::anthropic},
    Route{verb::post, "/messages/count_tokens", true, handle_count_tokens, Dialect::anthropic},
    Route{verb::get, "/models", true, handle_models},
    Route{verb::get, "/models/", true, handle_model},  // and its card: an id may hold slashes
    Route{verb::get, "/health", false, handle_health},
    Route{verb::get, "/memory", true, handle_memory},
    Route{verb::get, "/metrics", true, handle_metrics},
    Route{verb::get, "/openapi.json", false, handle_openapi},
    Route{verb::post, "/tokenize", true, handle_tokenize},
    Route{verb::post, "/detokenize", true, handle_detokenize},
    Route{verb::post, "/apply-template", true, handle_apply_template},
    Route{verb::get, "/", false, handle_page},
};

bool matches(const Route& route, std::string_view path) {
  const bool has_name = route.path.size() > 1 && route.path.ends_with('/');
  return has_name ? path.starts_with(route.path) && path.size() > route.path.size() : path == route.path;
}

}  // namespace

std::span<const Route> all_routes() { return kRoutes; }

const Route* route_at(std::string_view path) {
  const auto route = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& r) { return matches(r, path); });
  return route == kRoutes.end() ? nullptr : &*route;
}

std::string_view allowed_methods(const Route& route) {
  return route.method == verb::get ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
}

const Route& find_route(verb method, std::string_view path) {
  const Route* route = route_at(path);
  if (route == nullptr)
    throw ApiError(404, "not_found_error", "not_found", fmt::format("request: there is no route {}", path));
  if (route->method == method || (route->method == verb::get && method == verb::head)) return *route;
  throw ApiError(405, "invalid_request_error", "method_not_allowed",
                 fmt::format("request: {} takes {} only", path, allowed_methods(*route)));
}

}  // namespace paro::server
