#include "server/server.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "server/connection.h"
#include "server/listener.h"
#include "server/metrics.h"
#include "server/server_state.h"
#include "server/stream.h"
#include "server/tls.h"

namespace paro::server {

namespace asio = boost::asio;

namespace {

constexpr int kMaxRefusals = 64;               // connections too many that are told so at one time
constexpr std::chrono::seconds kLastWords(2);  // for the errors that end answers after the grace period
constexpr std::chrono::milliseconds kAcceptPause(100);

}  // namespace

struct Server::Impl {
  explicit Impl(ServerState& server_state)
      : state(server_state),
        io(std::max(state.options.n_threads, 1)),
        accept_strand(asio::make_strand(io)),
        listener(accept_strand, state.options),
        stop_timer(accept_strand) {
    load_certificate();
  }

  void load_certificate() {
    const ServerOptions& options = state.options;
    if (!options.tls_certificate.empty()) tls = server::load_certificate(options.tls_certificate, options.tls_key);
  }

  // Connections keep the certificate that they began with.
  void reload_certificate() {
    try {
      load_certificate();
      log::info("the certificate was read again");
    } catch (const Error& error) {
      log::warn("the certificate stays as it is: {}", error.message());
    }
  }

  asio::awaitable<void> accept() {
    for (;;) {
      const Strand strand = asio::make_strand(io);
      auto [failure, socket] = co_await listener.acceptor().async_accept(strand, asio::as_tuple(asio::use_awaitable));
      if (!listener.acceptor().is_open()) co_return;
      if (failure) {  // most likely no descriptor is free: those at work will give theirs back
        log::warn("server: cannot accept a connection: {}", failure.message());
        asio::steady_timer pause(accept_strand, kAcceptPause);
        co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
        continue;
      }
      auto stream = std::make_unique<Stream>(std::move(socket), tls ? &*tls : nullptr);
      start(std::make_shared<Connection>(std::move(stream), strand, state), strand);
    }
  }

  void start(std::shared_ptr<Connection> connection, const Strand& strand) {
    bool refused = false;
    {
      const std::lock_guard lock(mutex);
      refused = static_cast<int>(connections.size()) >= state.options.max_connections && !make_room();
      // The socket closes with the connection. A handshake is too much for a word.
      if (refused && (tls || n_refusals >= kMaxRefusals)) return;
      if (refused) {
        ++n_refusals;
      } else {
        connections.insert(connection);
        state.metrics->set_open_connections(connections.size());
      }
    }
    asio::co_spawn(strand, refused ? connection->refuse() : connection->run(),
                   [this, connection, refused](std::exception_ptr) { finish(connection, refused); });
  }

  // Ends the connection that has waited longest for its client, who may mean to take a place and no more. False: none
  // has waited for long.
  bool make_room() {
    std::shared_ptr<Connection> slowest;
    auto since = std::chrono::steady_clock::now() - state.options.patience;
    for (const auto& connection : connections) {
      const auto waits_since = connection->waits_since();
      if (!waits_since || *waits_since > since) continue;
      slowest = connection;
      since = *waits_since;
    }
    if (!slowest) return false;
    slowest->close();
    connections.erase(slowest);
    return true;
  }

  void finish(const std::shared_ptr<Connection>& connection, bool refused) {
    const std::lock_guard lock(mutex);
    if (refused) {
      --n_refusals;
    } else {
      connections.erase(connection);
      state.metrics->set_open_connections(connections.size());
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
    listener.close();
    for (const auto& connection : all_connections()) connection->drain();
    co_await wait_for_connections(state.options.grace);
    for (const auto& connection : all_connections()) connection->interrupt();
    co_await wait_for_connections(kLastWords);
    for (const auto& connection : all_connections()) connection->close();
  }

  asio::awaitable<void> wait_for_connections(std::chrono::milliseconds most) {
    stop_timer.expires_after(most);
    if (!none_left()) co_await stop_timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }

  ServerState& state;
  asio::io_context io;
  Strand accept_strand;
  Listener listener;  // used on accept_strand, as are those below
  asio::steady_timer stop_timer;
  std::optional<asio::ssl::context> tls;

  std::mutex mutex;                                   // guards all below
  std::set<std::shared_ptr<Connection>> connections;  // those that are served
  int n_refusals = 0;
  bool stopping = false;
};

Server::Server(ServerOptions options, ServedModel model) {
  state_ = std::make_unique<ServerState>(options, std::make_shared<Metrics>(),
                                         LoadedModel{options, std::move(model), {}}, options.any_model);
  impl_ = std::make_unique<Impl>(*state_);
}

Server::Server(ServerOptions options, std::vector<ServableModel> models, int64_t room_bytes, int max_waiting) {
  const ModelLibrary::Limits limits{room_bytes, max_waiting, options.any_model};
  state_ = std::make_unique<ServerState>(options, std::make_shared<Metrics>(), std::move(models), limits);
  impl_ = std::make_unique<Impl>(*state_);
}

Server::~Server() = default;

int Server::port() const { return impl_->listener.port(); }

const std::string& Server::address() const { return impl_->listener.address(); }

void Server::run() {
  asio::co_spawn(impl_->accept_strand, impl_->accept(), asio::detached);
  std::vector<std::jthread> threads;
  for (int i = 1; i < impl_->state.options.n_threads; ++i) threads.emplace_back([this] { impl_->io.run(); });
  impl_->io.run();
}

void Server::reload_certificate() {
  asio::post(impl_->accept_strand, [impl = impl_.get()] { impl->reload_certificate(); });
}

void Server::stop() { asio::co_spawn(impl_->accept_strand, impl_->stop(), asio::detached); }

}  // namespace paro::server
