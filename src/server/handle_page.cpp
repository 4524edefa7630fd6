// GET /: the web page that talks to the routes beside it. It loads nothing from elsewhere, and its policy lets a
// browser see to that: only the scripts and styles whose hashes are named, only connections to this server.
#include <string>

#include "server/connection.h"
#include "server/page/page.h"
#include "server/routes.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

std::string content_security_policy(const Page& page) {
  return fmt::format(
      "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
      page.script_hash, page.style_hash);
}

}  // namespace

asio::awaitable<void> handle_page(Connection& connection) {
  const Page file = page();
  const HttpHeader& request = connection.request();
  http::fields fields;
  fields.set(http::field::cache_control, "no-cache");  // asks each time whether it has changed
  fields.set(http::field::etag, boost::beast::string_view(file.entity_tag));
  fields.set(http::field::vary, "Accept-Encoding");
  if (has_entity_tag(request, file.entity_tag)) {
    co_await connection.respond_static(304, {}, fields);
    co_return;
  }
  fields.set(http::field::content_type, "text/html; charset=utf-8");
  fields.set("Content-Security-Policy", content_security_policy(file));
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("Referrer-Policy", "no-referrer");
  const bool compressed = accepts_gzip(request);
  if (compressed) fields.set(http::field::content_encoding, "gzip");
  co_await connection.respond_static(200, compressed ? file.gzip : file.plain, fields);
}

}  // namespace paro::server
