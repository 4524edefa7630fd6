// The body of /embeddings and /embedding, checked.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <vector>

#include "engine/engine.h"
#include "server/service.h"

namespace paro::server {

struct EmbeddingRequest {
  std::vector<std::vector<int32_t>> inputs;  // token ids
  Pooling pooling = Pooling::mean;
  bool normalizes = true;  // to a length of 1
  bool as_base64 = false;

  size_t n_tokens() const;
};

// Throws ApiError 400.
EmbeddingRequest read_embedding_request(const boost::json::object& body, const Service& service);

}  // namespace paro::server
