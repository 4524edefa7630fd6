// The HTTP server: listens, runs the connections on a few threads of its own, and stops gracefully.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/model_library.h"
#include "server/service.h"

namespace paro::server {

struct ServerState;

class Server {
 public:
  // Binds and listens; connections wait until run(). Throws Error{io} when the address cannot be had. One model, or
  // several that are loaded as they are asked for: `max_waiting` requests at most wait for that, and what is loaded
  // takes room_bytes at most beside the server's own.
  Server(ServerOptions options, ServedModel model);
  Server(ServerOptions options, std::vector<ServableModel> models, int64_t room_bytes, int max_waiting);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;                    // 0: it listens on a Unix socket
  const std::string& address() const;  // as people write it: http://127.0.0.1:8000, unix:/run/paro.sock

  // Serves until stop(), on this thread and n_threads - 1 others.
  void run();

  // From any thread, as stop() is: connections that come later are shown the certificate that lies in its file now. One
  // that cannot be used is left, with a warning.
  void reload_certificate();

  // From any thread, though not from a signal handler: accepts no more, lets answers finish for the grace period, then
  // ends them with an error. The engine of a model that was given is left
  // to the caller, who stops it after run() has returned.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<ServerState> state_;  // outlives the connections that impl_ holds
  std::unique_ptr<Impl> impl_;
};

}  // namespace paro::server
