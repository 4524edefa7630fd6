// Members of a list that tell their kind by `type`, as content of Anthropic's messages and items of OpenAI's responses.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "server/json_fields.h"

namespace paro::server {

struct JsonBlock {
  std::string type;  // empty where there is none
  JsonFields fields;

  std::string path(std::string_view name) const { return fields.path(name); }
  std::string required(std::string_view name) const;  // string; throws ApiError 400 where it is missing

  // Throws ApiError 400: the type is not one of the `known`, told in words.
  [[noreturn]] void refuse_type(std::string_view known) const;
};

// `at` is the value's place in messages. Throws ApiError 400 where it is no object. Must not outlive the value.
JsonBlock read_block(const boost::json::value& value, const std::string& at);

// A string, or a list of blocks of text whose type is one of `types`; empty where there is none. Throws ApiError 400.
std::string read_text(const JsonFields& fields, std::string_view name, std::span<const std::string_view> types);

// Blocks are separate texts; a line's end keeps them so.
void append_text(std::string& text, std::string_view more);

}  // namespace paro::server
