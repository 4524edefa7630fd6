#include "server/http_response.h"

#include <gtest/gtest.h>

namespace paro::server {
namespace {

namespace http = boost::beast::http;

TEST(HttpResponse, HeaderIsStatusLineAndFields) {
  HttpResponse response{http::status::not_found, 11};
  response.set(http::field::content_type, "application/json");
  response.set("X-Own", "a, b");
  response.content_length(12);
  response.keep_alive(false);
  EXPECT_EQ(header_text(response),
            "HTTP/1.1 404 Not Found\r\n"
            "Content-Type: application/json\r\n"
            "X-Own: a, b\r\n"
            "Content-Length: 12\r\n"
            "Connection: close\r\n"
            "\r\n");
}

TEST(HttpResponse, VersionAndReasonAreItsOwn) {
  HttpResponse response{static_cast<http::status>(529), 10};
  response.reason("Overloaded");
  EXPECT_EQ(header_text(response), "HTTP/1.0 529 Overloaded\r\n\r\n");
}

TEST(HttpResponse, ChunksTellTheirSizeInHexadecimal) {
  EXPECT_EQ(chunk_header(1), "1\r\n");
  EXPECT_EQ(chunk_header(0xbeef), "beef\r\n");
}

}  // namespace
}  // namespace paro::server
