// OpenAI's /responses.
#include <utility>

#include "server/connection.h"
#include "server/prompt_tokens.h"
#include "server/response_answer.h"
#include "server/response_request.h"
#include "server/routes.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct ResponseJob {
  AnswerJob answer;
  ResponseAnswer::Options format;
  json::object repeated;
};

// Of the request's JSON only what the response repeats is left when the sequence starts; it stays in the request's
// memory, and charged.
ResponseJob response_job(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  ResponseRequest request =
      read_response_request(body, service.default_sampling, service.model.engine.info().vocab_size);
  AnswerJob job;
  job.prompt_field = "input";
  job.prompts.push_back(chat_prompt_tokens(request.chat, service, job.prompt_field));
  ResponseAnswer::Options format{.parser = chat_parser_options(request.chat, job.prompts.front(), service),
                                 .summarizes_thoughts = request.summarizes_thoughts};
  job.make_constraint = chat_constraint(request.chat, job.prompts.front(), service);
  job.options = std::move(request.chat.options);
  return {std::move(job), std::move(format), std::move(request.repeated)};
}

}  // namespace

asio::awaitable<void> handle_responses(Connection& connection, const Service& service) {
  ResponseJob job = response_job(connection, service);
  ResponseAnswer format(service.format, service.model.tokenizer, std::move(job.format), std::move(job.repeated));
  co_await answer(connection, service, std::move(job.answer), format);
}

}  // namespace paro::server
