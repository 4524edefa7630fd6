// Bodies of Anthropic's /messages through checking, translating and preparing for the template. What is wrong must be
// a 400 that Anthropic's clients can read; what is right must have become messages of the OpenAI schema.
#include <cstdint>
#include <string_view>

#include "require.h"
#include "server/error_dialect.h"
#include "server/json_text.h"
#include "server/message_request.h"
#include "text/chat_format_messages.h"

namespace {

using namespace paro;
using namespace paro::server;

constexpr int kVocabSize = 1000;

void check(const MessageRequest& request) {
  const ChatRequest& chat = request.chat;
  require(!chat.messages.empty());
  require(chat.options.n == 1 && chat.options.clips_max_tokens);
  for (const std::string& stop : chat.options.stop) require(!stop.empty());
  for (const boost::json::value& message : chat.messages) require(message.at("content").is_string());
  for (const boost::json::value& tool : chat.tools) require(tool.at("function").at("parameters").is_object());
  const boost::json::array messages = text::prepare_messages(chat.messages, {false, true});
  require(messages.size() == chat.messages.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  try {
    check(read_message_request(parse_body({reinterpret_cast<const char*>(input), size}), {}, kVocabSize));
  } catch (const ApiError& error) {
    const ErrorAnswer answer = error_answer(error, Dialect::anthropic, "req_1");
    require(answer.status == 400);
    require(answer.body.at("error").at("type") == "invalid_request_error");
    require(!json_text(answer.body).empty());
  }
  return 0;
}
