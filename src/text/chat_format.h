// Reads a chat model's output back: tokens in; content, reasoning and tool calls out, piece by piece as they become
// certain. Which notation a model speaks shows in the special tokens of its tokenizer: chat_formats() is the table.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace paro::text {

struct ChatDelta {
  enum class Kind {
    content,
    reasoning,
    call_started,    // text: the function's name
    call_arguments,  // text: a piece of the arguments' JSON
    call_ended,
  };
  Kind kind = Kind::content;
  std::string text;
};

// One answer's parser. Calls do not overlap: started, arguments, ended, then the next.
class ChatParser {
 public:
  virtual ~ChatParser() = default;
  virtual std::vector<ChatDelta> push(int32_t id) = 0;
  virtual std::vector<ChatDelta> finish() = 0;  // what was held back
};

struct ChatFormat {
  std::string_view name;
  std::span<const std::string_view> markers;  // a tokenizer with all of them speaks this format
  bool tool_results_as_objects = false;       // its templates print a tool's JSON object natively
  std::unique_ptr<ChatParser> (*make)(const Tokenizer& tokenizer, bool reads_calls) = nullptr;

  // Without `reads_calls`, for a model that was offered no tools, the words of a call are content.
  std::unique_ptr<ChatParser> make_parser(const Tokenizer& tokenizer, bool reads_calls = true) const {
    return make(tokenizer, reads_calls);
  }
};

// Most particular first; the last one fits every tokenizer.
std::span<const ChatFormat> chat_formats();

const ChatFormat& chat_format_for(const Tokenizer& tokenizer);

// Everything is content; special tokens are left out.
std::unique_ptr<ChatParser> make_plain_parser(const Tokenizer& tokenizer);

}  // namespace paro::text
