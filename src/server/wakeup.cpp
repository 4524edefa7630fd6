#include "server/wakeup.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace paro::server {

namespace asio = boost::asio;

void Wakeup::notify() {
  asio::post(strand_, [self = shared_from_this()] {
    self->notified_ = true;
    self->timer_.cancel();
  });
}

asio::awaitable<bool> Wakeup::wait(std::chrono::milliseconds timeout) {
  if (!notified_) {
    timer_.expires_after(timeout);
    boost::system::error_code ended;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  }
  co_return std::exchange(notified_, false);
}

}  // namespace paro::server
