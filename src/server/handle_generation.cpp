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

namespace asio = boost::asio;
namespace json = boost::json;

asio::awaitable<void> handle_chat_completions(Connection& connection, const Service& service) {
  const json::object body = parse_body(connection.request().body());
  check_model(body, service);
  ChatRequest request = read_chat_request(body, service.default_sampling, service.model.engine.info().vocab_size);
  AnswerJob job;
  job.prompts.push_back(chat_prompt_tokens(request, service));
  job.prompt_field = "messages";
  job.options = std::move(request.options);
  ChatAnswer format(service.format, service.model.tokenizer);
  co_await answer(connection, service, std::move(job), format);
}

asio::awaitable<void> handle_completions(Connection& connection, const Service& service) {
  const json::object body = parse_body(connection.request().body());
  check_model(body, service);
  CompletionRequest request =
      read_completion_request(body, service.default_sampling, service.model.engine.info().vocab_size);
  const text::Tokenizer& tokenizer = service.model.tokenizer;
  AnswerJob job;
  std::vector<std::string> echoes;
  for (Prompt& prompt : request.prompts) {
    const std::string* text = std::get_if<std::string>(&prompt);
    if (request.echo) {
      const std::string echo = text ? *text : tokenizer.decode(std::get<std::vector<int32_t>>(prompt), true);
      echoes.insert(echoes.end(), static_cast<size_t>(request.options.n), echo);
    }
    job.prompts.push_back(text ? text_prompt_tokens(*text, "prompt", service)
                               : std::move(std::get<std::vector<int32_t>>(prompt)));
    if (job.prompts.back().empty()) throw invalid_field("prompt", "is empty");
  }
  job.prompt_field = "prompt";
  job.options = std::move(request.options);
  CompletionAnswer format(tokenizer, std::move(echoes));
  co_await answer(connection, service, std::move(job), format);
}

}  // namespace paro::server
