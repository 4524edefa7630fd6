// Bodies of /responses through checking, translating and preparing for the template. What is wrong must be a 400; what
// is right must have become messages of the chat schema, and leave what the response repeats.
#include <cstdint>
#include <string_view>

#include "expect_400.h"
#include "server/api_error.h"
#include "server/json_text.h"
#include "server/response_request.h"
#include "text/chat_format_messages.h"

namespace {

using namespace paro;
using namespace paro::server;

constexpr int kVocabSize = 1000;

void check(const ResponseRequest& request) {
  const ChatRequest& chat = request.chat;
  require(!chat.messages.empty());
  require(chat.options.n == 1 && chat.options.max_tokens_field == "max_output_tokens");
  for (const boost::json::value& message : chat.messages) require(message.at("content").is_string());
  for (const boost::json::value& tool : chat.tools) require(tool.at("function").at("name").is_string());
  const boost::json::array messages = text::prepare_messages(chat.messages, {false, true});
  require(messages.size() == chat.messages.size());
  for (const std::string_view name : {"tools", "tool_choice", "parallel_tool_calls", "metadata", "text"})
    require(request.repeated.contains(name));
  require(!json_text(request.repeated).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  expect_400([&] {
    check(read_response_request(parse_body({reinterpret_cast<const char*>(input), size}), {}, kVocabSize));
  });
  return 0;
}
