#include "server/stream.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>

namespace paro::server {

namespace asio = boost::asio;

Stream::Stream(Socket socket, asio::ssl::context* tls) : line_(std::make_shared<Line>(std::move(socket))) {
  boost::system::error_code ignored;  // a Unix socket knows nothing of it
  line_->socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (tls != nullptr) tls_.emplace(line_->socket, *tls);
}

Stream::Deadline::Deadline(Stream& stream, std::chrono::milliseconds most) : line_(*stream.line_) {
  line_.waits_since = Clock::now().time_since_epoch().count();
  line_.timer.expires_after(most);
  line_.timer.async_wait([line = std::weak_ptr(stream.line_)](boost::system::error_code failure) {
    const auto held = line.lock();
    // One that was met at the last moment has moved the timer on.
    if (failure || !held || held->timer.expiry() > Clock::now()) return;
    boost::system::error_code ignored;
    held->socket.close(ignored);
  });
}

Stream::Deadline::~Deadline() {
  line_.waits_since = kNever;
  line_.timer.expires_at(asio::steady_timer::time_point::max());
}

std::optional<Stream::Clock::time_point> Stream::waits_since() const {
  const Clock::rep since = line_->waits_since;
  if (since == kNever) return std::nullopt;
  return Clock::time_point(Clock::duration(since));
}

asio::awaitable<void> Stream::handshake() {
  if (tls_) co_await tls_->async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
}

asio::awaitable<void> Stream::finish() {
  boost::system::error_code failure;
  if (tls_) co_await tls_->async_shutdown(asio::redirect_error(asio::use_awaitable, failure));
  Socket& socket = line_->socket;
  socket.shutdown(Socket::shutdown_send, failure);
  std::string discarded(16 << 10, '\0');
  while (!failure)
    co_await socket.async_read_some(asio::buffer(discarded), asio::redirect_error(asio::use_awaitable, failure));
}

void Stream::close() {
  boost::system::error_code ignored;
  line_->socket.close(ignored);
}

}  // namespace paro::server
