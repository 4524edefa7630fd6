// Gemma 4's notation: thoughts as `<|channel>thought\n…\n<channel|>`, calls as
// `<|tool_call>call:NAME{key:<|"|>text<|"|>,n:1,list:[…],obj:{…}}<tool_call|>`. The markers are tokens of their own and
// are recognised by id, so that text which looks like one stays text.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "text/chat_format.h"

namespace paro::text {

std::span<const std::string_view> gemma4_markers();

// A call is shown once it is complete and well-formed, if need be without its closing marker; the text of any other
// comes out as content, without markers.
std::unique_ptr<ChatParser> make_gemma4_parser(const Tokenizer& tokenizer, bool reads_calls = true);

struct Gemma4Call {
  std::string name;
  std::string arguments;  // JSON object
};

// Stands for a <|"|> token in a call's text: a byte that no UTF-8 text has.
inline constexpr char kGemma4Quote = '\xff';

// The text between <|tool_call> and <tool_call|>. Bare values are numbers, true, false, null, else strings.
std::optional<Gemma4Call> parse_gemma4_call(std::string_view text);

}  // namespace paro::text
