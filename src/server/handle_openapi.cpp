// /openapi.json: what the routes take and give, for programs.
#include <string>

#include "server/connection.h"
#include "server/openapi/openapi.h"
#include "server/routes.h"

namespace paro::server {

boost::asio::awaitable<void> handle_openapi(Connection& connection, const Service&) {
  co_await connection.respond_text(200, std::string(openapi_text()));
}

}  // namespace paro::server
