#include "server/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/strand.hpp>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include "base/error.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Endpoint = asio::generic::stream_protocol::endpoint;

constexpr std::string_view kUnix = "unix:";

Error cannot_listen(std::string_view where, std::string_view why, std::string_view what_to_do) {
  return Error(ErrorKind::io, "server: cannot listen on {}: {}; {}", where, why, what_to_do);
}

void listen(Listener::Acceptor& acceptor, boost::system::error_code& failure) {
  acceptor.listen(asio::socket_base::max_listen_connections, failure);
}

// What a server left there that was killed: a socket on which nobody listens.
void remove_stale(const std::string& path, const Endpoint& endpoint) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return;
  const std::string where = "unix:" + path;
  if (!S_ISSOCK(found.st_mode))
    throw cannot_listen(where, "there is a file that is no socket", "choose another --host");
  const int probe = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const int error = ::connect(probe, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 ? 0 : errno;
  ::close(probe);
  if (error == 0) throw cannot_listen(where, "address already in use", "another server listens there");
  if (error != ECONNREFUSED) throw cannot_listen(where, std::strerror(error), "choose another --host");
  ::unlink(path.c_str());
}

}  // namespace

Listener::Listener(const Strand& strand, const ServerOptions& options) : acceptor_(strand) {
  if (options.host.starts_with(kUnix)) {
    listen_on_file(options);
  } else {
    listen_on_port(options);
  }
}

void Listener::listen_on_port(const ServerOptions& options) {
  const std::string port = std::to_string(options.port);
  boost::system::error_code failure;
  tcp::resolver resolver(acceptor_.get_executor());
  const auto endpoints = resolver.resolve(options.host, port, tcp::resolver::passive, failure);
  if (!failure) {
    const tcp::endpoint endpoint = *endpoints.begin();
    acceptor_.open(endpoint.protocol(), failure);
    if (!failure) acceptor_.set_option(asio::socket_base::reuse_address(true), failure);
    if (!failure) acceptor_.bind(endpoint, failure);
    if (!failure) listen(acceptor_, failure);
  }
  if (failure) throw cannot_listen(options.host + ":" + port, failure.message(), "choose another --port or --host");
  sockaddr_storage bound{};
  socklen_t n_bytes = sizeof(bound);
  ::getsockname(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&bound), &n_bytes);
  tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), &bound, std::min<size_t>(n_bytes, endpoint.capacity()));
  endpoint.resize(n_bytes);
  port_ = endpoint.port();
  const bool is_v6 = options.host.find(':') != std::string::npos;
  address_ = fmt::format("{}://{}{}{}:{}", options.tls_certificate.empty() ? "http" : "https", is_v6 ? "[" : "",
                         options.host, is_v6 ? "]" : "", port_);
}

void Listener::listen_on_file(const ServerOptions& options) {
  const std::string path = options.host.substr(kUnix.size());
  constexpr size_t kMostBytes = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > kMostBytes) {
    throw Error(ErrorKind::usage, "--host '{}' has a path of {} bytes, expected 1 to {}", options.host, path.size(),
                kMostBytes);
  }
  const asio::local::stream_protocol::endpoint endpoint(path);
  remove_stale(path, endpoint);
  boost::system::error_code failure;
  acceptor_.open(endpoint.protocol(), failure);
  if (!failure) acceptor_.bind(endpoint, failure);
  if (!failure) {
    file_ = std::filesystem::absolute(path);
    // Nobody can connect before it listens.
    struct stat made {};
    if (::chmod(path.c_str(), static_cast<mode_t>(options.socket_mode)) == 0 && ::lstat(path.c_str(), &made) == 0) {
      device_ = made.st_dev;
      inode_ = made.st_ino;
      listen(acceptor_, failure);
    } else {
      failure.assign(errno, boost::system::system_category());
    }
  }
  if (failure) {
    close();
    throw cannot_listen(options.host, failure.message(), "choose another --host");
  }
  address_ = options.host;
}

void Listener::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  if (file_.empty()) return;
  struct stat found {};
  const bool is_own = ::lstat(file_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
  if (is_own) ::unlink(file_.c_str());
  file_.clear();
}

void check_address(const ServerOptions& options) {
  asio::io_context io;
  const Listener listener(asio::make_strand(io), options);
}

}  // namespace paro::server
