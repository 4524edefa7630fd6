// The routes that generate: /chat/completions and /completions.
#include <utility>

#include "server/chat_answer.h"
#include "server/chat_request.h"
#include "server/completion_answer.h"
#include "server/completion_request.h"
#include "server/connection.h"
#include "server/prompt_tokens.h"
#include "server/routes.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct ChatJob {
  AnswerJob answer;
  text::ParserOptions parser_options;
  bool names_function = false;
};

// The request's JSON and text are gone when the sequences start.
ChatJob chat_job(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  ChatRequest request = read_chat_request(body, service.default_sampling, service.model.engine.info().vocab_size);
  AnswerJob job;
  job.prompts.push_back(chat_prompt_tokens(request, service));
  job.prompt_field = "messages";
  job.options = std::move(request.options);
  text::ParserOptions parser_options = chat_parser_options(request, job.prompts.front(), service);
  job.make_constraint = chat_constraint(request, job.prompts.front(), service);
  return {std::move(job), std::move(parser_options), request.tool_choice.names_function};
}

AnswerJob completion_job(Connection& connection, const Service& service, std::vector<std::string>& echoes) {
  const json::object body = connection.take_json();
  CompletionRequest request =
      read_completion_request(body, service.default_sampling, service.model.engine.info().vocab_size);
  AnswerJob job;
  for (Prompt& prompt : request.prompts) {
    const std::string* words = std::get_if<std::string>(&prompt);
    std::vector<int32_t> ids =
        words ? text_prompt_tokens(*words, "prompt", service) : std::get<std::vector<int32_t>>(std::move(prompt));
    if (ids.empty()) throw invalid_field("prompt", "is empty");
    if (request.echo) {
      const std::string echo = words ? *words : service.model.tokenizer.decode(ids, true);
      echoes.insert(echoes.end(), static_cast<size_t>(request.options.n), echo);
    }
    job.prompts.push_back(std::move(ids));
  }
  job.prompt_field = "prompt";
  job.options = std::move(request.options);
  job.make_constraint = text_constraint(request.content_rule, service);
  return job;
}

}  // namespace

asio::awaitable<void> handle_chat_completions(Connection& connection, const Service& service) {
  ChatJob job = chat_job(connection, service);
  ChatAnswer format(service.format, service.model.tokenizer,
                    {.parser = std::move(job.parser_options), .names_function = job.names_function},
                    job.answer.options);
  co_await answer(connection, service, std::move(job.answer), format);
}

asio::awaitable<void> handle_completions(Connection& connection, const Service& service) {
  std::vector<std::string> echoes;
  AnswerJob job = completion_job(connection, service, echoes);
  CompletionAnswer format(service.model.tokenizer, std::move(echoes), job.options);
  co_await answer(connection, service, std::move(job), format);
}

}  // namespace paro::server
