// Prompts in the shapes that llama.cpp's routes take: text, token ids, both mixed in one list, an object around text,
// or a list of these.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string_view>
#include <vector>

#include "server/service.h"

namespace paro::server {

struct PromptList {
  std::vector<std::vector<int32_t>> prompts;  // token ids, none empty
  bool is_list = false;                       // several were asked for, if only one came
};

// A list is one prompt when it has a number in it. Text is tokenized here, with the special tokens around it when a
// prompt begins with it. Throws ApiError 400 about `param`, also for a prompt without tokens and for media.
PromptList read_prompt_list(const boost::json::value& value, std::string_view param, const Service& service);

}  // namespace paro::server
