// The routes that only turn text and tokens into each other: /tokenize, /detokenize, /apply-template,
// /chat/completions/input_tokens.
#include <utility>

#include "server/chat_request.h"
#include "server/completion_request.h"
#include "server/connection.h"
#include "server/prompt_tokens.h"
#include "server/routes.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr size_t kMaxTextBytes = 4 << 20;  // that is made into tokens here

ChatRequest chat_request_of(const json::object& body, const Service& service) {
  return read_chat_request(body, service.default_sampling, service.model.engine.info().vocab_size);
}

// A piece is text, or a list of bytes where it is no UTF-8 by itself.
json::value piece_of(const text::Tokenizer& tokenizer, int32_t id) {
  const std::string_view bytes = tokenizer.token_bytes(id);
  if (tokenizer.decode(std::vector<int32_t>{id}, false).find("\xEF\xBF\xBD") == std::string::npos)
    return json::value(json::string_view(bytes));
  json::array list;
  for (const char c : bytes) list.emplace_back(static_cast<int>(static_cast<unsigned char>(c)));
  return list;
}

// Understands llama.cpp's {content} and vLLM's {prompt} or {messages}; answers with what both give.
json::object tokenize(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  const JsonFields fields(body);
  const text::Tokenizer& tokenizer = service.model.tokenizer;

  const auto encode = [&](std::string_view name, const std::string& text, bool add_special) {
    if (text.size() > kMaxTextBytes) throw invalid_field(name, fmt::format("exceeds {} bytes", kMaxTextBytes));
    return tokenizer.encode(text, add_special);
  };
  std::vector<int32_t> ids;
  if (fields.find("messages")) {
    ids = encode("messages", chat_prompt(chat_request_of(body, service), service), false);
  } else if (const auto content = fields.string("content")) {
    ids = encode("content", *content, fields.boolean("add_special").value_or(false));
  } else if (const auto prompt = fields.string("prompt")) {
    ids = encode("prompt", *prompt, fields.boolean("add_special_tokens").value_or(true));
  } else {
    throw invalid_field("content", "is missing: give content, prompt or messages");
  }

  const bool with_pieces = fields.boolean("with_pieces").value_or(false);
  json::array tokens;
  for (const int32_t id : ids) {
    if (!with_pieces) {
      tokens.emplace_back(id);
      continue;
    }
    json::object token;
    token["id"] = id;
    token["piece"] = piece_of(tokenizer, id);
    tokens.emplace_back(std::move(token));
  }
  json::object response;
  response["tokens"] = std::move(tokens);
  response["count"] = ids.size();
  response["max_model_len"] = service.model.engine.info().max_context;
  return response;
}

json::object detokenize(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  const json::array* tokens = JsonFields(body).array("tokens");
  if (tokens == nullptr) throw invalid_field("tokens", "is missing");
  const std::vector<int32_t> ids = read_token_ids(*tokens, "tokens", service.model.engine.info().vocab_size);
  const std::string text = service.model.tokenizer.decode(ids, false);
  json::object response;
  response["content"] = text;
  response["prompt"] = text;
  return response;
}

// Of what /chat/completions would be given.
json::object input_tokens(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  json::object response;
  response["object"] = "response.input_tokens";
  response["input_tokens"] = chat_prompt_tokens(chat_request_of(body, service), service).size();
  return response;
}

json::object apply_template(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  json::object response;
  response["prompt"] = chat_prompt(chat_request_of(body, service), service);
  return response;
}

}  // namespace

asio::awaitable<void> handle_tokenize(Connection& connection, const Service& service) {
  json::object response = tokenize(connection, service);
  co_await connection.respond(200, std::move(response));
}

asio::awaitable<void> handle_detokenize(Connection& connection, const Service& service) {
  json::object response = detokenize(connection, service);
  co_await connection.respond(200, std::move(response));
}

asio::awaitable<void> handle_input_tokens(Connection& connection, const Service& service) {
  json::object response = input_tokens(connection, service);
  co_await connection.respond(200, std::move(response));
}

asio::awaitable<void> handle_apply_template(Connection& connection, const Service& service) {
  json::object response = apply_template(connection, service);
  co_await connection.respond(200, std::move(response));
}

}  // namespace paro::server
