#include "tests/server/http_client.h"

#include <sys/socket.h>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/parse.hpp>
#include <stdexcept>

namespace paro {

namespace asio = boost::asio;
namespace http = boost::beast::http;

boost::json::value HttpAnswer::json() const { return boost::json::parse(body); }

std::vector<std::string> HttpAnswer::events() const {
  std::vector<std::string> found;
  for (size_t at = 0; at < body.size();) {
    const size_t end = body.find("\n\n", at);
    if (end == std::string::npos) throw std::runtime_error("an event without its empty line: " + body.substr(at));
    if (body.compare(at, 6, "data: ") == 0) found.push_back(body.substr(at + 6, end - at - 6));
    at = end + 2;
  }
  return found;
}

std::vector<NamedEvent> HttpAnswer::named_events() const {
  std::vector<NamedEvent> found;
  for (size_t at = 0; at < body.size();) {
    const size_t data = body.find("\ndata: ", at), end = body.find("\n\n", at);
    if (body.compare(at, 7, "event: ") != 0 || data > end || end == std::string::npos)
      throw std::runtime_error("not an event with a name: " + body.substr(at));
    found.push_back({body.substr(at + 7, data - at - 7), body.substr(data + 7, end - data - 7)});
    at = end + 2;
  }
  return found;
}

std::vector<boost::json::value> HttpAnswer::chunks() const {
  std::vector<std::string> found = events();
  if (found.empty() || found.back() != "[DONE]")
    throw std::runtime_error("the stream does not end with [DONE]: " + body);
  found.pop_back();
  std::vector<boost::json::value> values;
  for (const std::string& event : found) values.push_back(boost::json::parse(event));
  return values;
}

HttpClient::HttpClient(int port) : socket_(io_) {
  socket_.connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  const timeval patience{20, 0};  // a server that hangs fails the test
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

HttpAnswer HttpClient::get(const std::string& target, const Headers& headers) {
  return send(http::verb::get, target, "", headers);
}

HttpAnswer HttpClient::post(const std::string& target, const std::string& body, const Headers& headers) {
  Headers all{{"Content-Type", "application/json"}};
  all.insert(all.end(), headers.begin(), headers.end());
  return send(http::verb::post, target, body, all);
}

HttpAnswer HttpClient::send(http::verb verb, const std::string& target, const std::string& body, const Headers& headers,
                            unsigned version) {
  http::request<http::string_body> request(verb, target, version);
  request.set(http::field::host, "test");
  for (const auto& [name, value] : headers) request.set(name, value);
  request.body() = body;
  request.prepare_payload();
  http::write(socket_, request);
  return read_answer();
}

void HttpClient::write(const std::string& bytes) { asio::write(socket_, asio::buffer(bytes)); }

std::string HttpClient::read_some() {
  std::string bytes(4096, '\0');
  boost::system::error_code failure;
  bytes.resize(socket_.read_some(asio::buffer(bytes), failure));
  return bytes;
}

HttpAnswer HttpClient::read_answer() {
  http::response_parser<http::string_body> parser;
  parser.body_limit(boost::none);
  http::read(socket_, buffer_, parser);
  HttpAnswer answer;
  answer.keeps_alive = parser.keep_alive();
  auto response = parser.release();
  answer.status = response.result_int();
  answer.body = std::move(response.body());
  answer.fields = response.base();
  return answer;
}

void HttpClient::close() { socket_.close(); }

}  // namespace paro
