#include "server/completion_request.h"

#include "server/api_error.h"

namespace paro::server {
namespace {

namespace json = boost::json;

constexpr std::string_view kPromptTypes = "must be a string, a list of strings, of token ids or of lists of token ids";

std::vector<Prompt> read_prompts(const JsonFields& fields, int vocab_size) {
  const json::value* value = fields.find("prompt");
  if (value == nullptr) throw invalid_field("prompt", "is missing");
  if (const json::string* text = value->if_string()) return {std::string(*text)};
  const json::array* list = value->if_array();
  if (list == nullptr) throw invalid_field("prompt", kPromptTypes);
  if (list->empty()) throw invalid_field("prompt", "is empty");
  if (list->front().is_number()) return {read_token_ids(*list, "prompt", vocab_size)};

  if (list->size() > kMaxPrompts)
    throw invalid_field("prompt", fmt::format("has {} prompts, at most {} are taken", list->size(), kMaxPrompts));
  std::vector<Prompt> prompts;
  for (const json::value& element : *list) {
    if (const json::string* text = element.if_string()) {
      prompts.emplace_back(std::string(*text));
    } else if (const json::array* ids = element.if_array()) {
      prompts.emplace_back(read_token_ids(*ids, "prompt", vocab_size));
    } else {
      throw invalid_field("prompt", kPromptTypes);
    }
  }
  return prompts;
}

}  // namespace

std::vector<int32_t> read_token_ids(const json::array& array, std::string_view param, int vocab_size) {
  std::vector<int32_t> ids;
  ids.reserve(array.size());
  for (const json::value& element : array) {
    boost::system::error_code failure;
    const int64_t id = element.is_number() ? element.to_number<int64_t>(failure) : -1;
    if (failure || id < 0 || id >= vocab_size)
      throw invalid_field(param, fmt::format("must have token ids from 0 to {}", vocab_size - 1));
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

CompletionRequest read_completion_request(const json::object& body, const SamplingOptions& defaults, int vocab_size) {
  const JsonFields fields(body);
  CompletionRequest request;
  request.prompts = read_prompts(fields, vocab_size);
  request.echo = fields.boolean("echo").value_or(false);
  request.content_rule = read_content_rule(fields, body.storage());
  request.options = read_generation_options(fields, defaults, vocab_size);
  request.options.sampling.n_logprobs = static_cast<int>(fields.integer("logprobs", 0, 20).value_or(-1));
  if (request.prompts.size() * static_cast<size_t>(request.options.n) > kMaxPrompts)
    throw invalid_field("n", fmt::format("times the number of prompts exceeds {}", kMaxPrompts));
  if (request.echo && request.options.sampling.n_logprobs >= 0)
    throw invalid_field("echo", "cannot be had together with logprobs: a prompt's tokens are not scored");
  if (!fields.string("suffix").value_or("").empty()) throw invalid_field("suffix", "is not supported");
  if (const auto best_of = fields.integer("best_of", 1, kMaxPrompts); best_of && *best_of != request.options.n)
    throw invalid_field("best_of", "must equal n: answers are not ranked");
  return request;
}

}  // namespace paro::server
