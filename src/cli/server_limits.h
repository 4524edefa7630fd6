// The flags that bound what clients of the server can make it hold or wait for. The plan counts what they allow.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "server/service.h"

namespace paro::cli {

class ServerLimits {
 public:
  ServerLimits();

  void add_to(CLI::App& app);
  void apply_to(server::ServerOptions& server) const;  // throws Error{usage} for sizes that mean nothing
  int max_queue() const { return max_queue_; }         // the engine's, so that it is none of the server's options

 private:
  int max_connections_, max_queue_, http_threads_;
  std::string max_header_, max_body_, max_request_memory_, grammar_memory_;
  double idle_timeout_s_, read_timeout_s_, write_timeout_s_, ping_interval_s_;
};

}  // namespace paro::cli
