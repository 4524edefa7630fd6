// Bytes from a socket through the HTTP parser with its limits, then through everything that reads target and headers.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <cstdint>
#include <string_view>

#include "require.h"
#include "server/http_request.h"
#include "server/routes.h"
#include "text/utf8.h"

namespace {

using namespace paro::server;
using paro::require;

constexpr uint32_t kMaxHeaderBytes = 1024;
constexpr uint64_t kMaxBodyBytes = 2048;

void read_header(const HttpHeader& header) {
  const std::string path = route_path(std::string_view(header.target().data(), header.target().size()));
  require(path.size() <= 3 * header.target().size());  // a byte that is no UTF-8 becomes U+FFFD
  require(paro::text::is_valid_utf8(path));
  try {
    find_route(header.method(), path);
  } catch (const ApiError& error) {
    require(error.status == 404 || error.status == 405);
  }
  try {
    check_content_type(header);
  } catch (const ApiError& error) {
    require(error.status == 415);
  }
  has_key(header, {"key"});
  expects_continue(header);
  require(client_request_id(header).size() <= 64);
  accepts_gzip(header);
  has_entity_tag(header, "W/\"0\"");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  if (size == 0) return 0;
  const size_t step = 1 + input[0] % 64u;  // bytes that come at once
  const std::string_view bytes(reinterpret_cast<const char*>(input) + 1, size - 1);

  HttpParser parser;
  set_limits(parser, kMaxHeaderBytes, kMaxBodyBytes);
  parser.eager(true);
  boost::beast::flat_buffer buffer;
  for (size_t at = 0; at < bytes.size() && !parser.is_done(); at += step) {
    const std::string_view piece = bytes.substr(at, step);
    buffer.commit(boost::asio::buffer_copy(buffer.prepare(piece.size()), boost::asio::buffer(piece)));
    boost::system::error_code failure;
    buffer.consume(parser.put(buffer.data(), failure));
    if (failure == boost::beast::http::error::need_more) continue;
    if (failure) {
      const std::optional<ApiError> error = api_error_of(failure, kMaxBodyBytes);
      require(!error || (error->status >= 400 && error->status < 500));
      return 0;
    }
  }
  if (!parser.is_header_done()) return 0;
  read_header(parser.get());
  require(parser.get().body().size() <= kMaxBodyBytes);
  return 0;
}
