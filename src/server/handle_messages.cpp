// Anthropic's routes: /messages and /messages/count_tokens.
#include <utility>

#include "server/api_error.h"
#include "server/connection.h"
#include "server/message_answer.h"
#include "server/message_request.h"
#include "server/prompt_tokens.h"
#include "server/routes.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct MessageJob {
  AnswerJob answer;
  MessageAnswer::Options format;
};

MessageRequest read_request(const json::object& body, const Service& service) {
  return read_message_request(body, service.default_sampling, service.model.engine.info().vocab_size);
}

// The request's JSON and text are gone when the sequence starts.
MessageJob message_job(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  MessageRequest request = read_request(body, service);
  if (!request.chat.options.max_tokens) throw invalid_field("max_tokens", "is missing");
  MessageJob job;
  job.answer.prompts.push_back(chat_prompt_tokens(request.chat, service));
  job.format = {.parser = chat_parser_options(request.chat, job.answer.prompts.front(), service),
                .shows_thinking = request.shows_thinking,
                .max_tokens = *request.chat.options.max_tokens};
  job.answer.make_constraint = chat_constraint(request.chat, job.answer.prompts.front(), service);
  job.answer.prompt_field = "messages";
  job.answer.options = std::move(request.chat.options);
  return job;
}

json::object count_tokens(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  json::object response;
  response["input_tokens"] = chat_prompt_tokens(read_request(body, service).chat, service).size();
  return response;
}

}  // namespace

asio::awaitable<void> handle_messages(Connection& connection, const Service& service) {
  MessageJob job = message_job(connection, service);
  MessageAnswer format(service.format, service.model.tokenizer, std::move(job.format));
  co_await answer(connection, service, std::move(job.answer), format);
}

asio::awaitable<void> handle_count_tokens(Connection& connection, const Service& service) {
  json::object response = count_tokens(connection, service);
  co_await connection.respond(200, std::move(response));
}

}  // namespace paro::server
