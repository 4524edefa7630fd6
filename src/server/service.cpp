#include "server/service.h"

#include <algorithm>
#include <utility>

#include "server/api_error.h"

namespace paro::server {

Service::Service(ServerOptions server_options, ServedModel served_model)
    : options(std::move(server_options)),
      model(std::move(served_model)),
      format(text::chat_format_for(model.tokenizer)),
      default_sampling(model.engine.info().default_sampling),
      started_at(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
                     .count()) {
  if (model.chat_template)
    renderer.emplace(*model.chat_template, model.bos_token, model.eos_token, format.tool_results_as_objects);
  if (options.temperature) default_sampling.temperature = *options.temperature;
  if (options.top_p) default_sampling.top_p = *options.top_p;
  if (options.top_k) default_sampling.top_k = *options.top_k;
  for (int32_t id = 0; id < model.tokenizer.vocab_size(); ++id)
    longest_token_bytes = std::max(longest_token_bytes, model.tokenizer.token_bytes(id).size());
}

void Service::check_length(std::string_view text, std::string_view param) const {
  // Normalizing can shorten a text; four times the longest token leaves room for that.
  const size_t n_least = text.size() / (4 * longest_token_bytes);
  const auto max_context = static_cast<size_t>(model.engine.info().max_context);
  if (n_least > max_context)
    throw context_exceeded(param, static_cast<int64_t>(n_least), 1, static_cast<int64_t>(max_context));
}

}  // namespace paro::server
