// One client: reads its requests one after another, hands them to the routes, writes their answers, whole or as
// server-sent events. While a request is answered the socket is watched, and a client that leaves ends the handler,
// whatever it waits for.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/error_dialect.h"
#include "server/http_request.h"
#include "server/http_response.h"
#include "server/request_memory.h"
#include "server/wakeup.h"

namespace paro::server {

class Stream;
struct ServerState;

class Connection : public std::enable_shared_from_this<Connection> {  // shared by its coroutine and the server's list
 public:
  static constexpr std::string_view kJson = "application/json";

  Connection(std::unique_ptr<Stream> stream, Strand strand, ServerState& server);
  ~Connection();

  boost::asio::awaitable<void> run();  // until the connection ends; throws nothing

  // Answers 503 and ends: for a connection too many.
  boost::asio::awaitable<void> refuse();

  // From any thread: no further request is read; the answer at work is given up; the socket is closed.
  void drain();
  void interrupt();
  void close();

  // Since when it has waited for its client, who is to send or to read; nothing while the client waits for an answer.
  // From any thread.
  std::optional<std::chrono::steady_clock::time_point> waits_since() const;

  // For handlers, on the strand.
  const HttpRequest& request() const { return request_; }
  const std::string& request_id() const { return request_id_; }  // the client's, or else a new one
  ServerState& server() const { return server_; }
  boost::json::object take_json();     // the body, whose text is gone then; made of memory that lives as long as this
  void hold_answer(uint64_t n_bytes);  // that a whole answer comes to by now, in all; throws as RequestMemory
  MemoryPool& memory_pool() const { return memory_.pool(); }
  boost::asio::awaitable<void> respond(unsigned status, boost::json::value body);
  boost::asio::awaitable<void> respond_text(unsigned status, std::string body, std::string_view content_type = kJson);
  boost::asio::awaitable<void> respond_empty(unsigned status);
  boost::asio::awaitable<void> respond_static(unsigned status, std::string_view body,
                                              const boost::beast::http::fields& fields);  // `body` outlives all answers
  boost::asio::awaitable<void> begin_events();
  boost::asio::awaitable<void> send_events(std::string frames);
  boost::asio::awaitable<void> end_events();
  boost::asio::awaitable<void> fail_events(const ApiError& error, std::string frames);  // which tell of it
  std::shared_ptr<Wakeup> wakeup() const { return wakeup_; }

  // False: the time has passed. Throws Error{unavailable} once the server gives its answers up.
  boost::asio::awaitable<bool> wait(std::chrono::milliseconds timeout);

 private:
  enum class Reading { complete, refused, ended };

  boost::asio::awaitable<void> serve_requests();
  boost::asio::awaitable<Reading> read_request();
  boost::asio::awaitable<void> read_body(HttpParser& parser, boost::system::error_code& failure);
  boost::asio::awaitable<void> handle();
  boost::asio::awaitable<void> dispatch();
  std::string named_model();
  boost::asio::awaitable<void> watch();
  boost::asio::awaitable<void> report(const ApiError& error);
  boost::asio::awaitable<void> hang_up();
  void check_header(const HttpHeader& header) const;
  void name_request();
  Dialect dialect() const;
  HttpResponse make_response(unsigned status) const;
  void set_common_fields(HttpResponse& response) const;
  void count_answer(unsigned status) const;
  boost::asio::awaitable<void> send_whole(HttpResponse response, std::string_view body);
  boost::asio::awaitable<void> write(std::string_view a, std::string_view b = {}, std::string_view c = {});
  void log_failure(const ApiError& error) const;
  void release_body();

  ServerState& server_;
  Strand strand_;
  std::unique_ptr<Stream> stream_;
  boost::beast::flat_buffer buffer_;
  std::shared_ptr<Wakeup> wakeup_;
  RequestMemory memory_;

  HttpRequest request_;
  std::string request_id_;
  std::optional<boost::json::object> json_;  // of the body, until it is taken
  bool keeps_alive_ = false;                 // after this answer
  bool answered_ = false;                    // a header was sent
  bool streaming_ = false;
  bool idle_ = false;  // between requests
  bool draining_ = false;
  bool interrupted_ = false;
};

}  // namespace paro::server
