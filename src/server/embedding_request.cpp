#include "server/embedding_request.h"

#include <string>

#include "server/api_error.h"
#include "server/json_fields.h"
#include "server/prompt_list.h"

namespace paro::server {
namespace {

namespace json = boost::json;

Pooling read_pooling(const JsonFields& fields) {
  const std::string name = fields.string("pooling").value_or("mean");
  if (name == "mean") return Pooling::mean;
  if (name == "last") return Pooling::last;
  throw invalid_field("pooling", fmt::format("is '{}', must be mean or last", name));
}

ApiError input_too_large(std::string_view param, size_t n_tokens, int max_context) {
  ApiError error(Error(ErrorKind::context_length,
                       "The input is too large: its {} tokens exceed this model's maximum context length of {} tokens; "
                       "shorten it.",
                       n_tokens, max_context));
  error.param = param;
  error.members["n_prompt_tokens"] = n_tokens;
  error.members["n_ctx"] = max_context;
  return error;
}

}  // namespace

size_t EmbeddingRequest::n_tokens() const {
  size_t n = 0;
  for (const std::vector<int32_t>& input : inputs) n += input.size();
  return n;
}

EmbeddingRequest read_embedding_request(const json::object& body, const Service& service) {
  const JsonFields fields(body);
  const ModelInfo& info = service.model.engine.info();
  const std::string_view param = fields.find("input") == nullptr && fields.find("content") ? "content" : "input";
  const json::value* input = fields.find(param);
  if (input == nullptr) throw invalid_field(param, "is missing");

  EmbeddingRequest request;
  request.pooling = read_pooling(fields);
  const int64_t norm = fields.integer("embd_normalize", -1, 2).value_or(2);
  if (norm != -1 && norm != 2) throw invalid_field("embd_normalize", "must be 2 for a length of 1, or -1 for none");
  request.normalizes = norm == 2;
  const std::string format = fields.string("encoding_format").value_or("float");
  if (format != "float" && format != "base64") throw invalid_field("encoding_format", "must be float or base64");
  request.as_base64 = format == "base64";
  if (const auto n = fields.integer("dimensions", 1, 1 << 30); n && *n != info.hidden_size)
    throw invalid_field("dimensions",
                        fmt::format("is {}, must be {}: this model's vectors are not cut", *n, info.hidden_size));

  request.inputs = read_prompt_list(*input, param, service).prompts;
  for (const std::vector<int32_t>& ids : request.inputs)
    if (ids.size() > static_cast<size_t>(info.max_context)) throw input_too_large(param, ids.size(), info.max_context);
  return request;
}

}  // namespace paro::server
