// A model as it is served: everything that handlers of its requests share. Nothing here changes, but what the metrics
// count and the grammars that are compiled.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "server/prompt_renderer.h"
#include "text/chat_format.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace paro::server {

class CompiledGrammars;
class Metrics;

struct ServerOptions {
  std::string host = "127.0.0.1";                  // or unix:PATH
  int port = 8000;                                 // 0: any free one
  unsigned socket_mode = 0660;                     // of the Unix socket
  std::filesystem::path tls_certificate, tls_key;  // PEM; empty: no TLS
  std::vector<std::string> api_keys;               // empty: none is asked for
  std::vector<std::string> cors_origins = {"*"};   // as parse_origins() makes them; empty: none but the server's own

  // Over the model's own defaults, under what a request says.
  std::optional<float> temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int> top_k;
  std::optional<int> thinking_budget;  // tokens of thoughts; else none
  std::optional<int> max_tokens;       // else what the context leaves
  std::optional<uint64_t> seed;

  bool any_model = false;  // whatever name a request gives, it means the served model

  int n_threads = 2;  // for HTTP; inference has its own
  int max_connections = 128;
  uint32_t max_header_bytes = 64 << 10;
  uint64_t max_body_bytes = 32 << 20;
  uint64_t max_request_bytes = 64 << 20;  // of all requests that are being read: larger bodies and JSON trees
  int64_t grammar_bytes = 32 << 20;       // of grammars that answers are held to; 0: none
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(60);
  std::chrono::milliseconds read_timeout = std::chrono::seconds(60);
  std::chrono::milliseconds write_timeout = std::chrono::seconds(30);
  std::chrono::milliseconds patience = std::chrono::seconds(2);  // with a client whose place others want
  std::chrono::milliseconds ping_interval = std::chrono::seconds(15);
  std::chrono::milliseconds grace = std::chrono::seconds(30);
};

// Of a model's card: as much as the plan leaves for what is written to one connection.
constexpr int64_t kMaxCardBytes = 64 << 10;

// Of a chat template that is told to clients.
constexpr int64_t kMaxTemplateBytes = 24 << 10;

// Of all series of the metrics, and what they are copied to for an answer.
constexpr int64_t kMetricsBytes = 256 << 10;

// Of the names and types of a request's tools, which are kept until it is answered: less than what is free of charge
// while a request is read.
constexpr int64_t kMaxToolsBytes = 64 << 10;

// The class of memory of a plan that is the server's own.
constexpr const char* kServerMemoryClass = "server buffers";

// What the memory plan has to leave for requests and answers, for the card and for the metrics.
int64_t planned_bytes(const ServerOptions& options);

// The engine, tokenizer and template are the caller's and outlive the server.
struct ServedModel {
  std::string id;
  Engine& engine;
  const text::Tokenizer& tokenizer;
  const text::ChatTemplate* chat_template = nullptr;  // nullptr: the model has none
  std::string bos_token, eos_token;                   // as the template's variables
  std::string card;                                   // JSON text of the model's facts, at most kMaxCardBytes
  std::string alias = {}, display_name = {};          // another id, and a name for people; empty: none
  std::string directory = {};                         // where the model lies: its last component
  std::string template_source = {};                   // at most kMaxTemplateBytes, else left out
};

struct Service {
  Service(ServerOptions server_options, ServedModel served_model, std::shared_ptr<Metrics> server_metrics);
  ~Service();

  // Text beyond this many bytes cannot fit the context.
  size_t max_text_bytes() const;

  // 400 when no number of tokens that the context has could hold `text`; spares tokenizing what cannot be served.
  void check_length(std::string_view text, std::string_view param) const;

  ServerOptions options;
  ServedModel model;
  const text::ChatFormat& format;
  std::optional<PromptRenderer> renderer;
  SamplingOptions default_sampling;
  size_t longest_token_bytes = 1;
  const std::unique_ptr<CompiledGrammars> grammars;
  const std::shared_ptr<Metrics> metrics;  // of all models; shared with the sequences, which end after it at times
};

}  // namespace paro::server
