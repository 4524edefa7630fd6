// Wakes a connection's coroutine from other threads. It outlives the connection while a notice is under way.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <memory>

namespace paro::server {

using Strand = boost::asio::strand<boost::asio::io_context::executor_type>;

class Wakeup : public std::enable_shared_from_this<Wakeup> {  // shared by the connection and notices on their way
 public:
  explicit Wakeup(Strand strand) : strand_(std::move(strand)), timer_(strand_) {}

  void notify();  // from any thread

  // On the strand, one at a time: until a notice came, perhaps before this call. False: the time has passed.
  boost::asio::awaitable<bool> wait(std::chrono::milliseconds timeout);

 private:
  Strand strand_;
  boost::asio::steady_timer timer_;
  bool notified_ = false;  // touched on the strand only
};

}  // namespace paro::server
