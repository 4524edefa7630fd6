// Where the server listens: a TCP port, or a Unix socket whose file it makes and removes.
#pragma once

#include <sys/types.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <filesystem>
#include <string>

#include "server/service.h"
#include "server/wakeup.h"

namespace paro::server {

class Listener {
 public:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol, Strand>;

  // Binds and listens. Throws Error{io} when the address cannot be had, Error{usage} for one that cannot be.
  Listener(const Strand& strand, const ServerOptions& options);
  ~Listener() { close(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  Acceptor& acceptor() { return acceptor_; }
  int port() const { return port_; }  // 0: there is none
  const std::string& address() const {
    return address_;
  }  // as people write it: http://127.0.0.1:8000, unix:/run/x.sock
  void close();

 private:
  void listen_on_port(const ServerOptions& options);
  void listen_on_file(const ServerOptions& options);

  Acceptor acceptor_;
  int port_ = 0;
  std::string address_;
  std::filesystem::path file_;  // of the Unix socket; empty: it is none, or is removed
  dev_t device_ = 0;            // by which the file is known again
  ino_t inode_ = 0;
};

// Listens for a moment: better to know before minutes of loading that an address cannot be had.
void check_address(const ServerOptions& options);

}  // namespace paro::server
