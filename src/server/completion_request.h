// The body of /completions, checked.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/content_rule.h"
#include "server/generation_options.h"

namespace paro::server {

constexpr size_t kMaxPrompts = 128;  // of one request

using Prompt = std::variant<std::string, std::vector<int32_t>>;  // text, or token ids

struct CompletionRequest {
  std::vector<Prompt> prompts;
  bool echo = false;
  std::optional<ContentRule> content_rule;
  GenerationOptions options;
};

// Throws ApiError 400.
CompletionRequest read_completion_request(const boost::json::object& body, const SamplingOptions& defaults,
                                          int vocab_size);

// An array of token ids below `vocab_size`. Throws ApiError 400 about `param`.
std::vector<int32_t> read_token_ids(const boost::json::array& array, std::string_view param, int vocab_size);

}  // namespace paro::server
