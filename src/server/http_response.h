// The header of an answer, and how it and its body are framed in bytes. The body goes beside it: as one piece of known
// length, in chunks, or up to the end of the connection.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <string>
#include <string_view>

namespace paro::server {

using HttpResponse = boost::beast::http::response<boost::beast::http::empty_body>;

std::string header_text(const HttpResponse& response);  // with the empty line after it

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Before n_bytes of a chunk, behind them, and what stands for the last one (RFC 9112, 7.1).
std::string chunk_header(size_t n_bytes);
constexpr std::string_view kChunkEnd = "\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace paro::server
