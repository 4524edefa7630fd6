#include "server/server.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "server/connection.h"
#include "server/metrics.h"

namespace paro::server {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr int kMaxRefusals = 64;               // connections too many that are told so at one time
constexpr std::chrono::seconds kLastWords(2);  // for the errors that end answers after the grace period
constexpr std::chrono::milliseconds kAcceptPause(100);

}  // namespace

struct Server::Impl {
  Impl(ServerOptions options, ServedModel model)
      : service(std::move(options), std::move(model)),
        pool(service.options.max_request_bytes),
        io(std::max(service.options.n_threads, 1)),
        accept_strand(asio::make_strand(io)),
        acceptor(accept_strand),
        stop_timer(accept_strand) {}

  void listen() {
    const ServerOptions& options = service.options;
    const std::string port = std::to_string(options.port);
    boost::system::error_code failure;
    tcp::resolver resolver(io);
    const auto endpoints = resolver.resolve(options.host, port, tcp::resolver::passive, failure);
    if (!failure) {
      const tcp::endpoint endpoint = *endpoints.begin();
      acceptor.open(endpoint.protocol(), failure);
      if (!failure) acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
      if (!failure) acceptor.bind(endpoint, failure);
      if (!failure) acceptor.listen(asio::socket_base::max_listen_connections, failure);
    }
    if (failure)
      throw Error(ErrorKind::io, "server: cannot listen on {}:{}: {}; choose another --port or --host", options.host,
                  port, failure.message());
    listening_port = acceptor.local_endpoint().port();
  }

  asio::awaitable<void> accept() {
    for (;;) {
      const Strand strand = asio::make_strand(io);
      auto [failure, socket] = co_await acceptor.async_accept(strand, asio::as_tuple(asio::use_awaitable));
      if (!acceptor.is_open()) co_return;
      if (failure) {  // most likely no descriptor is free: those at work will give theirs back
        log::warn("server: cannot accept a connection: {}", failure.message());
        asio::steady_timer pause(accept_strand, kAcceptPause);
        co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
        continue;
      }
      start(std::make_shared<Connection>(tcp::socket(std::move(socket)), strand, service, pool), strand);
    }
  }

  void start(std::shared_ptr<Connection> connection, const Strand& strand) {
    bool refused = false;
    {
      const std::lock_guard lock(mutex);
      refused = static_cast<int>(connections.size()) >= service.options.max_connections;
      if (refused && n_refusals >= kMaxRefusals) return;  // the socket closes with the connection
      if (refused) {
        ++n_refusals;
      } else {
        connections.insert(connection);
        service.metrics->set_open_connections(connections.size());
      }
    }
    asio::co_spawn(strand, refused ? connection->refuse() : connection->run(),
                   [this, connection, refused](std::exception_ptr) { finish(connection, refused); });
  }

  void finish(const std::shared_ptr<Connection>& connection, bool refused) {
    const std::lock_guard lock(mutex);
    if (refused) {
      --n_refusals;
    } else {
      connections.erase(connection);
      service.metrics->set_open_connections(connections.size());
    }
    if (stopping && connections.empty()) asio::post(accept_strand, [this] { stop_timer.cancel(); });
  }

  std::vector<std::shared_ptr<Connection>> all_connections() {
    const std::lock_guard lock(mutex);
    return {connections.begin(), connections.end()};
  }

  bool none_left() {
    const std::lock_guard lock(mutex);
    return connections.empty();
  }

  asio::awaitable<void> stop() {
    {
      const std::lock_guard lock(mutex);
      if (std::exchange(stopping, true)) co_return;
    }
    boost::system::error_code ignored;
    acceptor.close(ignored);
    for (const auto& connection : all_connections()) connection->drain();
    co_await wait_for_connections(service.options.grace);
    for (const auto& connection : all_connections()) connection->interrupt();
    co_await wait_for_connections(kLastWords);
    for (const auto& connection : all_connections()) connection->close();
  }

  asio::awaitable<void> wait_for_connections(std::chrono::milliseconds most) {
    stop_timer.expires_after(most);
    if (!none_left()) co_await stop_timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }

  Service service;
  MemoryPool pool;  // outlives the connections that io holds
  asio::io_context io;
  Strand accept_strand;
  tcp::acceptor acceptor;  // used on accept_strand, as is stop_timer
  asio::steady_timer stop_timer;
  int listening_port = 0;

  std::mutex mutex;                                   // guards all below
  std::set<std::shared_ptr<Connection>> connections;  // those that are served
  int n_refusals = 0;
  bool stopping = false;
};

Server::Server(ServerOptions options, ServedModel model)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(model))) {
  impl_->listen();
}

Server::~Server() = default;

int Server::port() const { return impl_->listening_port; }

void Server::run() {
  asio::co_spawn(impl_->accept_strand, impl_->accept(), asio::detached);
  std::vector<std::jthread> threads;
  for (int i = 1; i < impl_->service.options.n_threads; ++i) threads.emplace_back([this] { impl_->io.run(); });
  impl_->io.run();
}

void Server::stop() { asio::co_spawn(impl_->accept_strand, impl_->stop(), asio::detached); }

}  // namespace paro::server
