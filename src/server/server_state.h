// What all connections share.
#pragma once

#include <memory>
#include <utility>

#include "server/model_library.h"
#include "server/request_memory.h"
#include "server/service.h"

namespace paro::server {

struct ServerState {
  // `of_models`: for the ModelLibrary.
  template <typename... OfModels>
  ServerState(ServerOptions server_options, std::shared_ptr<Metrics> server_metrics, OfModels&&... of_models)
      : options(std::move(server_options)),
        metrics(std::move(server_metrics)),
        pool(options.max_request_bytes),
        library(std::forward<OfModels>(of_models)..., metrics) {}

  const ServerOptions options;
  const std::shared_ptr<Metrics> metrics;  // shared with the models and their sequences
  MemoryPool pool;                         // of the requests of all connections
  ModelLibrary library;
};

}  // namespace paro::server
