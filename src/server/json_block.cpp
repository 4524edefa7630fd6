#include "server/json_block.h"

#include <algorithm>
#include <utility>

#include "server/api_error.h"

namespace paro::server {

namespace json = boost::json;

std::string JsonBlock::required(std::string_view name) const {
  std::optional<std::string> text = fields.string(name);
  if (!text) throw invalid_field(path(name), "is missing");
  return *std::move(text);
}

void JsonBlock::refuse_type(std::string_view known) const {
  throw invalid_field(path("type"), fmt::format("is '{}', must be {}", type, known));
}

JsonBlock read_block(const json::value& value, const std::string& at) {
  if (!value.is_object()) throw invalid_field(at, "must be an object with type");
  JsonFields fields(value.get_object(), at + ".");
  std::string type = fields.string("type").value_or("");
  return {std::move(type), std::move(fields)};
}

std::string read_text(const JsonFields& fields, std::string_view name, std::span<const std::string_view> types) {
  const json::value* content = fields.find(name);
  if (content == nullptr) return {};
  if (const json::string* text = content->if_string()) return std::string(*text);
  if (!content->is_array()) throw invalid_field(fields.path(name), "must be a string or a list of texts");
  std::string text;
  const json::array& list = content->get_array();
  for (size_t i = 0; i < list.size(); ++i) {
    const JsonBlock block = read_block(list[i], fmt::format("{}[{}]", fields.path(name), i));
    if (std::find(types.begin(), types.end(), block.type) == types.end())
      block.refuse_type(fmt::format("{}: the model reads no other content here", types.front()));
    append_text(text, block.required("text"));
  }
  return text;
}

void append_text(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += '\n';
  text += more;
}

}  // namespace paro::server
