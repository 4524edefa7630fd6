// The visible table of routes, written as route_path() gives them: without /v1.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/verb.hpp>
#include <span>
#include <string_view>
#include <variant>

#include "server/error_dialect.h"

namespace paro::server {

class Connection;
struct Service;

// Of the server as a whole, and of the model that the request names, by `model` in its body or its query.
using Handler = boost::asio::awaitable<void> (*)(Connection& connection);
using ModelHandler = boost::asio::awaitable<void> (*)(Connection& connection, const Service& service);

struct Route {
  boost::beast::http::verb method;
  std::string_view path;  // one that ends with / has a name after it, but for / itself
  bool needs_key;
  std::variant<Handler, ModelHandler> handler;
  Dialect dialect = Dialect::openai;  // of its errors
};

std::span<const Route> all_routes();
const Route* route_at(std::string_view path);  // nullptr: there is none
std::string_view allowed_methods(const Route& route);

// HEAD is answered where GET is. Throws ApiError 404 for an unknown path, 405 for another method.
const Route& find_route(boost::beast::http::verb method, std::string_view path);

// The handlers, each in a file with its kin.
boost::asio::awaitable<void> handle_chat_completions(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_completions(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_native_completion(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_embeddings(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_native_embedding(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_props(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_slots(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_messages(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_count_tokens(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_responses(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_models(Connection& connection);
boost::asio::awaitable<void> handle_model(Connection& connection);
boost::asio::awaitable<void> handle_health(Connection& connection);
boost::asio::awaitable<void> handle_memory(Connection& connection);
boost::asio::awaitable<void> handle_metrics(Connection& connection);
boost::asio::awaitable<void> handle_openapi(Connection& connection);
boost::asio::awaitable<void> handle_tokenize(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_detokenize(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_input_tokens(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_apply_template(Connection& connection, const Service& service);
boost::asio::awaitable<void> handle_page(Connection& connection);

}  // namespace paro::server
