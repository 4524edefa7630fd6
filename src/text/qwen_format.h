// Qwen's notation, which its kin share: thoughts as `<think>\n…\n</think>\n\n`, calls between `<tool_call>` and
// `</tool_call>`, of which Qwen3 writes JSON and Qwen3.5 and Qwen3-Coder write tags. The markers are tokens of their
// own and are recognised by id. Newlines around thoughts and calls belong to the notation.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "text/chat_format.h"

namespace paro::text {

std::span<const std::string_view> qwen_markers();
std::span<const std::string_view> qwen_other_markers();

std::unique_ptr<ChatParser> make_qwen3_parser(const Tokenizer& tokenizer, const ParserOptions& options);  // json_call.h
std::unique_ptr<ChatParser> make_qwen35_parser(const Tokenizer& tokenizer,
                                               const ParserOptions& options);  // function_call.h

}  // namespace paro::text
