// Bodies of /chat/completions and /completions through parsing, checking and preparing for the template. What is wrong
// must be a 400; what is right must fit the schema that the template's variables promise.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <string_view>

#include "expect_400.h"
#include "server/api_error.h"
#include "server/chat_request.h"
#include "server/completion_request.h"
#include "server/json_text.h"
#include "text/chat_format_messages.h"

namespace {

using namespace paro;
using namespace paro::server;

constexpr int kVocabSize = 1000;

void check_options(const GenerationOptions& options) {
  require(options.n >= 1 && options.n <= 128);
  require(!options.max_tokens || *options.max_tokens >= 1);
  require(options.sampling.temperature >= 0 && options.sampling.top_p > 0 && options.sampling.top_k >= 0);
  for (const auto& [id, bias] : options.sampling.logit_bias) require(id >= 0 && id < kVocabSize);
  for (const std::string& stop : options.stop) require(!stop.empty());
}

void read_chat(const boost::json::object& body) {
  const ChatRequest request = read_chat_request(body, {}, kVocabSize);
  check_options(request.options);
  require(!request.messages.empty());
  require(request.tools.empty() == (request.tool_choice.kind == ToolChoice::Kind::none));
  for (const bool flag : {false, true}) {
    const text::MessageRules rules{flag, flag};
    const boost::json::array messages = text::prepare_messages(request.messages, rules);
    require(messages.size() == request.messages.size());
    for (const boost::json::value& message : messages) require(message.at("role").is_string());
  }
}

void read_completion(const boost::json::object& body) {
  const CompletionRequest request = read_completion_request(body, {}, kVocabSize);
  check_options(request.options);
  require(!request.prompts.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(input), size);
  expect_400([&] {
    const boost::json::object body = parse_body(text);
    expect_400([&] { read_chat(body); });
    expect_400([&] { read_completion(body); });
    require(boost::json::parse(json_text(body)).is_object());
  });
  return 0;
}
