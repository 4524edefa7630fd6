// Reads a chat model's output back: tokens in; content, reasoning and tool calls out, piece by piece as they become
// certain. Which notation a model speaks shows in the special tokens of its tokenizer, and where these are the same in
// how its template writes a call: chat_formats() is the table.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/call_grammar.h"
#include "text/chat_template.h"
#include "text/offered_tools.h"
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
  bool is_complete = true;  // call_ended: false where the call broke off; its arguments are closed to valid JSON
};

// One answer's parser. Calls do not overlap: started, arguments, ended, then the next.
class ChatParser {
 public:
  virtual ~ChatParser() = default;
  virtual std::vector<ChatDelta> push(int32_t id) = 0;
  virtual std::vector<ChatDelta> finish() = 0;  // what was held back
};

// What a parser is told of the request.
struct ParserOptions {
  bool reads_calls = true;  // false, for a model that was offered no tools: the words of a call are content
  bool in_thought = false;  // the prompt ends inside a thought
  std::shared_ptr<const OfferedTools> tools;  // shared by the parsers of a request; none: any function, any types
};

// Tokens around a thought, and those that begin or end a turn of a conversation.
struct ThoughtMarkers {
  std::string_view open, close, turn_open, turn_close;
};
inline constexpr ThoughtMarkers kGemma4Thought{"<|channel>", "<channel|>", "<|turn>", "<turn|>"};
inline constexpr ThoughtMarkers kQwenThought{"<think>", "</think>", "<|im_start|>", "<|im_end|>"};

// Where a prompt ends: inside a thought that the template has opened, behind one that it has closed, or where the model
// may begin one.
enum class ThoughtState { possible, open, closed };

struct ChatFormat {
  std::string_view name;
  std::span<const std::string_view> markers = {};        // a tokenizer with all of them speaks this format
  std::span<const std::string_view> other_markers = {};  // those that not every tokenizer of its has
  std::string_view call_sign = {};       // and a template that writes calls with this; empty: any template
  ThoughtMarkers thought = {};           // empty: none
  bool tool_results_as_objects = false;  // its templates print a tool's JSON object natively
  std::unique_ptr<ChatParser> (*make_parser)(const Tokenizer& tokenizer, const ParserOptions& options) = nullptr;

  CallGrammar call_grammar = nullptr;   // nullptr: it has no calls
  std::string_view call_prefix = {};    // the token before a call within text, where call_grammar has no marker
  std::string_view between_calls = {};  // of an answer that is calls alone
  bool has_parallel_calls = true;

  ThoughtState thought_at_end(const Tokenizer& tokenizer, std::span<const int32_t> prompt) const;
};

// Most particular first; the last one fits every tokenizer.
std::span<const ChatFormat> chat_formats();

const ChatFormat& chat_format_for(const Tokenizer& tokenizer, const ChatTemplate* chat_template = nullptr);

// Everything is content; special tokens are left out.
std::unique_ptr<ChatParser> make_plain_parser(const Tokenizer& tokenizer);

}  // namespace paro::text
