// A client's bytes: over TCP, a Unix socket or TLS, with deadlines. What is read with Boost.Beast is read from this, so
// that no one else has to know what lies below.
#pragma once

#include <atomic>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

namespace paro::server {

class Stream {
  struct Line;

 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using executor_type = Socket::executor_type;

  // With `tls`, which is not needed afterwards, handshake() comes first.
  explicit Stream(Socket socket, boost::asio::ssl::context* tls = nullptr);

  // While one lives, the stream is closed once the time has passed: what is awaited fails then. One at a time.
  class [[nodiscard]] Deadline {
   public:
    Deadline(Stream& stream, std::chrono::milliseconds most);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

   private:
    Line& line_;
  };

  executor_type get_executor() { return line_->socket.get_executor(); }

  // One read and one write at a time, beside each other.
  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, size_t)>(
        [this](auto handler, const Buffers& into) {
          if (tls_) {
            tls_->async_read_some(into, std::move(handler));
          } else {
            line_->socket.async_read_some(into, std::move(handler));
          }
        },
        token, buffers);
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, size_t)>(
        [this](auto handler, const Buffers& from) {
          if (tls_) {
            tls_->async_write_some(from, std::move(handler));
          } else {
            line_->socket.async_write_some(from, std::move(handler));
          }
        },
        token, buffers);
  }

  // Since when a deadline runs, which is while the client is waited for. From any thread.
  std::optional<std::chrono::steady_clock::time_point> waits_since() const;

  boost::asio::awaitable<void> handshake();  // throws system_error; nothing without TLS

  // Says that nothing more comes, and reads on until the client has left: one that is still sending would else lose
  // what was written to it.
  boost::asio::awaitable<void> finish();

  void close();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::rep kNever = std::numeric_limits<Clock::rep>::max();

  struct Line {
    explicit Line(Socket s) : socket(std::move(s)), timer(socket.get_executor()) {}
    Socket socket;
    boost::asio::steady_timer timer;
    std::atomic<Clock::rep> waits_since = kNever;
  };

  std::shared_ptr<Line> line_;  // shared with a deadline that is running out as the stream goes
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace paro::server
