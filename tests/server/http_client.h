// A blocking HTTP client for the tests: one connection, whole answers, or the bytes by hand.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <utility>
#include <vector>

namespace paro {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct NamedEvent {
  std::string name, data;
};

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
  boost::beast::http::fields fields;
  bool keeps_alive = false;

  boost::json::value json() const;          // of the body
  std::vector<std::string> events() const;  // data of each server-sent event
  std::vector<NamedEvent> named_events() const;
  std::vector<boost::json::value> chunks() const;  // the events but for a last [DONE], which must be there
};

class HttpClient {
 public:
  explicit HttpClient(int port);
  HttpAnswer get(const std::string& target, const Headers& headers = {});
  HttpAnswer post(const std::string& target, const std::string& body, const Headers& headers = {});
  HttpAnswer send(boost::beast::http::verb verb, const std::string& target, const std::string& body,
                  const Headers& headers, unsigned version = 11);

  void write(const std::string& bytes);
  std::string read_some();  // empty: the server has closed
  HttpAnswer read_answer();
  void close();

 private:
  boost::asio::io_context io_;
  boost::asio::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
};

}  // namespace paro
