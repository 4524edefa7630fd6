// Llama 3's notation of calls: {"name": ..., "parameters": {...}}, as the whole answer or behind `<|python_tag|>`,
// several of them with ; between. An answer's own JSON stays content: without the marker, only an object that names a
// function of the request is a call.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "text/chat_format.h"

namespace paro::text {

std::span<const std::string_view> llama3_markers();

std::unique_ptr<ChatParser> make_llama3_parser(const Tokenizer& tokenizer, const ParserOptions& options);

}  // namespace paro::text
