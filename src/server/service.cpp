#include "server/service.h"

#include <algorithm>
#include <utility>

#include "server/api_error.h"
#include "server/compiled_grammars.h"
#include "server/mailbox.h"
#include "server/metrics.h"
#include "text/answer_grammar.h"

namespace paro::server {
namespace {

constexpr size_t kMaxTextBytes = 64 << 20;

}  // namespace

int64_t planned_bytes(const ServerOptions& options) {
  constexpr int64_t kWrittenBytes = 64 << 10;  // to one connection
  constexpr int64_t kThreadBytes = 256 << 10;  // of a stack
  constexpr int64_t kTlsBytes = 128 << 10;     // of one connection, measured
  return static_cast<int64_t>(options.max_request_bytes) + kMaxCardBytes + kMaxTemplateBytes + kMetricsBytes +
         options.grammar_bytes + options.n_threads * kThreadBytes +
         options.max_connections * (int64_t{options.max_header_bytes} + kWrittenBytes + kMaxToolsBytes +
                                    int64_t{Mailbox::kFreeBytes} + (options.tls_certificate.empty() ? 0 : kTlsBytes));
}

Service::Service(ServerOptions server_options, ServedModel served_model, std::shared_ptr<Metrics> server_metrics)
    : options(std::move(server_options)),
      model(std::move(served_model)),
      format(text::chat_format_for(model.tokenizer, model.chat_template)),
      default_sampling(model.engine.info().default_sampling),
      grammars(std::make_unique<CompiledGrammars>(
          text::answer_vocabulary(model.tokenizer, format, model.engine.info().stop_tokens,
                                  model.engine.info().vocab_size),
          options.grammar_bytes)),
      metrics(std::move(server_metrics)) {
  if (options.temperature) default_sampling.temperature = *options.temperature;
  if (options.top_p) default_sampling.top_p = *options.top_p;
  if (options.top_k) default_sampling.top_k = *options.top_k;
  if (options.seed) default_sampling.seed = options.seed;
  if (options.min_p) default_sampling.min_p = *options.min_p;
  if (options.repetition_penalty) default_sampling.repetition_penalty = *options.repetition_penalty;
  if (options.presence_penalty) default_sampling.presence_penalty = *options.presence_penalty;
  if (options.frequency_penalty) default_sampling.frequency_penalty = *options.frequency_penalty;
  for (int32_t id = 0; id < model.tokenizer.vocab_size(); ++id)
    longest_token_bytes = std::max(longest_token_bytes, model.tokenizer.token_bytes(id).size());
  if (model.chat_template)
    renderer.emplace(*model.chat_template, model.bos_token, model.eos_token, format.tool_results_as_objects,
                     static_cast<int64_t>(max_text_bytes()));
}

Service::~Service() = default;

size_t Service::max_text_bytes() const {
  // Normalizing can shorten a text; four times the longest token leaves room for that.
  const auto n_tokens = static_cast<size_t>(model.engine.info().max_context) + 1;
  return std::min(4 * longest_token_bytes * n_tokens, kMaxTextBytes);
}

void Service::check_length(std::string_view text, std::string_view param) const {
  if (text.size() <= max_text_bytes()) return;
  const int64_t max_context = model.engine.info().max_context;
  const auto n_least = static_cast<int64_t>(text.size() / (4 * longest_token_bytes));
  throw context_exceeded(param, std::max(n_least, max_context + 1), 1, max_context);
}

}  // namespace paro::server
