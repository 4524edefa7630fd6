// The routes of llama.cpp's own tools: /completion, and what the server is and does, /props and /slots.
#include <utility>

#include "server/api_error.h"
#include "server/completion_request.h"
#include "server/connection.h"
#include "server/constraints.h"
#include "server/identifiers.h"
#include "server/native_answer.h"
#include "server/native_options.h"
#include "server/prompt_list.h"
#include "server/prompt_tokens.h"
#include "server/routes.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct NativeJob {
  AnswerJob answer;
  NativeOptions options;
  bool is_list = false;
};

// The request's JSON and text are gone when the sequences start.
NativeJob native_job(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  const JsonFields fields(body);
  const json::value* prompt = fields.find("prompt");
  if (prompt == nullptr) throw invalid_field("prompt", "is missing");
  NativeJob job;
  job.options = read_native_options(body, service);
  PromptList list = read_prompt_list(*prompt, "prompt", service);
  const int n = job.options.generation.n;
  if (list.prompts.size() * static_cast<size_t>(n) > kMaxPrompts)
    throw invalid_field("n", fmt::format("times the number of prompts exceeds {}", kMaxPrompts));
  job.is_list = list.is_list || n > 1;
  job.answer.prompts = std::move(list.prompts);
  job.answer.prompt_field = "prompt";
  job.answer.options = job.options.generation;
  job.answer.make_constraint = text_constraint(read_content_rule(fields, body.storage()), service);
  return job;
}

void add_progress(json::object& slot, const SequenceStatus& sequence) {
  slot["n_prompt_tokens"] = sequence.n_prompt_tokens;
  slot["n_prompt_tokens_cache"] = sequence.n_cached_tokens;
  slot["n_prompt_tokens_processed"] = sequence.n_prefilled_tokens - sequence.n_cached_tokens;
  json::object next;
  next["has_next_token"] = !sequence.in_prefill;
  next["n_remain"] = sequence.max_tokens - sequence.n_generated_tokens;
  next["n_decoded"] = sequence.n_generated_tokens;
  slot["next_token"] = json::array{json::value(std::move(next))};
}

}  // namespace

asio::awaitable<void> handle_native_completion(Connection& connection, const Service& service) {
  NativeJob job = native_job(connection, service);
  NativeAnswer format(service.model.tokenizer, std::move(job.options), job.is_list,
                      service.model.engine.info().max_context);
  co_await answer(connection, service, std::move(job.answer), format);
}

asio::awaitable<void> handle_props(Connection& connection, const Service& service) {
  const ModelInfo& info = service.model.engine.info();
  json::object settings;
  settings["n_ctx"] = info.max_context;
  settings["params"] = generation_settings(read_native_options({}, service));
  json::object response;
  response["default_generation_settings"] = std::move(settings);
  response["total_slots"] = info.max_batch;
  response["model_alias"] = service.model.id;
  response["model_path"] = service.model.directory;
  response["modalities"] = {{"vision", false}, {"audio", false}};
  response["chat_template"] = service.model.template_source;
  response["bos_token"] = service.model.bos_token;
  response["eos_token"] = service.model.eos_token;
  response["build_info"] = kSystemFingerprint;
  response["is_sleeping"] = false;
  co_await connection.respond(200, std::move(response));
}

// A slot is room for one sequence; those at work fill the first.
asio::awaitable<void> handle_slots(Connection& connection, const Service& service) {
  const ModelInfo& info = service.model.engine.info();
  const std::vector<SequenceStatus> sequences = service.model.engine.sequences();
  const auto n_slots = static_cast<size_t>(info.max_batch);
  if (sequences.size() >= n_slots && !query_value(connection.request().target(), "fail_on_no_slot").empty())
    throw ApiError(Error(ErrorKind::unavailable, "server: all {} slots are taken", n_slots));
  json::array slots;
  for (size_t i = 0; i < n_slots; ++i) {
    json::object slot;
    slot["id"] = i;
    slot["n_ctx"] = info.max_context;
    slot["speculative"] = false;
    slot["is_processing"] = i < sequences.size();
    if (i < sequences.size()) add_progress(slot, sequences[i]);
    slots.emplace_back(std::move(slot));
  }
  co_await connection.respond(200, std::move(slots));
}

}  // namespace paro::server
