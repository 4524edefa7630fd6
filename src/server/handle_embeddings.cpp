// The routes that give a text's vector: /embeddings in the OpenAI schema, /embedding in llama.cpp's.
#include <bit>
#include <cmath>
#include <string>
#include <utility>

#include "server/api_error.h"
#include "server/base64.h"
#include "server/connection.h"
#include "server/embedding_request.h"
#include "server/json_text.h"
#include "server/prompt_tokens.h"
#include "server/routes.h"
#include "server/sequences.h"

namespace paro::server {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

using Vector = std::vector<float>;  // [hidden_size]

EmbeddingRequest embedding_request(Connection& connection, const Service& service) {
  const json::object body = connection.take_json();
  return read_embedding_request(body, service);
}

// The vectors and the answer's text are held at once.
uint64_t answer_bytes(const EmbeddingRequest& request, const Service& service) {
  constexpr uint64_t kBytesPerNumber = sizeof(float) + 16;  // and as text, with a comma
  return request.inputs.size() * static_cast<uint64_t>(service.model.engine.info().hidden_size) * kBytesPerNumber;
}

void normalize(Vector& vector) {
  double sum = 0;
  for (const float x : vector) sum += double(x) * x;
  if (!(sum > 0)) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& x : vector) x = static_cast<float>(x * scale);
}

asio::awaitable<std::vector<Vector>> run(Connection& connection, const Service& service, EmbeddingRequest& request) {
  connection.hold_answer(answer_bytes(request, service));
  Sequences sequences(service.model.engine, service.metrics, connection.wakeup(), WakeFor::many,
                      connection.memory_pool());
  for (const std::vector<int32_t>& input : request.inputs) {
    GenerationRequest one;
    one.prompt = input;
    one.max_tokens = 1;
    one.pooling = request.pooling;
    sequences.submit(std::move(one));
  }
  std::vector<Vector> vectors(request.inputs.size());
  while (!sequences.all_ended()) {
    co_await connection.wait(service.options.ping_interval);
    for (SequenceEvent& event : sequences.take()) {
      if (Embedding* embedding = std::get_if<Embedding>(&event.what)) {
        vectors[event.sequence] = std::move(embedding->hidden);
      } else if (const GenerationEnd* end = std::get_if<GenerationEnd>(&event.what)) {
        if (end->error) throw *end->error;
        if (end->reason == FinishReason::cancelled) throw Error(ErrorKind::unavailable, "server: it is stopping");
      }
    }
  }
  if (request.normalizes)
    for (Vector& vector : vectors) normalize(vector);
  co_return vectors;
}

void append_numbers(std::string& text, const Vector& vector) {
  text += '[';
  for (size_t i = 0; i < vector.size(); ++i) {
    if (i > 0) text += ',';
    if (std::isfinite(vector[i])) {
      fmt::format_to(std::back_inserter(text), "{}", vector[i]);
    } else {
      text += "null";
    }
  }
  text += ']';
}

void append_base64(std::string& text, const Vector& vector) {
  static_assert(std::endian::native == std::endian::little, "the numbers go out little-endian");
  fmt::format_to(std::back_inserter(text), "\"{}\"", base64(std::as_bytes(std::span(vector))));
}

}  // namespace

asio::awaitable<void> handle_embeddings(Connection& connection, const Service& service) {
  EmbeddingRequest request = embedding_request(connection, service);
  const std::vector<Vector> vectors = co_await run(connection, service, request);
  std::string text = R"({"object":"list","data":[)";
  for (size_t i = 0; i < vectors.size(); ++i) {
    fmt::format_to(std::back_inserter(text), R"({}{{"object":"embedding","index":{},"embedding":)", i > 0 ? "," : "",
                   i);
    request.as_base64 ? append_base64(text, vectors[i]) : append_numbers(text, vectors[i]);
    text += '}';
  }
  fmt::format_to(std::back_inserter(text), R"(],"model":{},"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})",
                 json_text(json::value(service.model.id)), request.n_tokens(), request.n_tokens());
  co_await connection.respond_text(200, std::move(text));
}

asio::awaitable<void> handle_native_embedding(Connection& connection, const Service& service) {
  EmbeddingRequest request = embedding_request(connection, service);
  const std::vector<Vector> vectors = co_await run(connection, service, request);
  std::string text = "[";
  for (size_t i = 0; i < vectors.size(); ++i) {
    fmt::format_to(std::back_inserter(text), R"({}{{"index":{},"embedding":[)", i > 0 ? "," : "", i);
    append_numbers(text, vectors[i]);
    text += "]}";
  }
  text += ']';
  co_await connection.respond_text(200, std::move(text));
}

}  // namespace paro::server
