// /openapi.json: what the routes take and give, for programs.
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/fields.hpp>

#include "server/connection.h"
#include "server/openapi/openapi.h"
#include "server/routes.h"

namespace paro::server {

boost::asio::awaitable<void> handle_openapi(Connection& connection) {
  boost::beast::http::fields fields;
  fields.set(boost::beast::http::field::content_type, std::string(Connection::kJson));
  co_await connection.respond_static(200, openapi_text(), fields);
}

}  // namespace paro::server
