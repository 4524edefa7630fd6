// Gemma 4's notation: thoughts as `<|channel>thought\n…\n<channel|>`, calls as
// `<|tool_call>call:NAME{key:<|"|>text<|"|>,n:1,list:[…],obj:{…}}<tool_call|>`. The markers are tokens of their own and
// are recognised by id, so that text which looks like one stays text.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "text/chat_format.h"

namespace paro::text {

std::span<const std::string_view> gemma4_markers();
std::span<const std::string_view> gemma4_other_markers();

std::unique_ptr<ChatParser> make_gemma4_parser(const Tokenizer& tokenizer, const ParserOptions& options);

}  // namespace paro::text
