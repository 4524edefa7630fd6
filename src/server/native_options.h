// The fields of /completion, llama.cpp's own route, beside the prompt: how tokens are chosen, how many, what is told.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "server/generation_options.h"
#include "server/service.h"

namespace paro::server {

struct NativeOptions {
  GenerationOptions generation;
  bool post_sampling_probs = false;
  bool return_tokens = false;
  std::vector<std::string> response_fields;  // empty: all
};

// A sampler that the server does not have is refused when it would change the answer. Throws ApiError 400.
NativeOptions read_native_options(const boost::json::object& body, const Service& service);

// What the route tells of how it chose, in llama.cpp's names; what it does not have is told as off.
boost::json::object generation_settings(const NativeOptions& options);

}  // namespace paro::server
