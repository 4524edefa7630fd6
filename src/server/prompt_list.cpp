#include "server/prompt_list.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <utility>

#include "server/api_error.h"
#include "server/completion_request.h"
#include "server/prompt_tokens.h"

namespace paro::server {
namespace {

namespace json = boost::json;

constexpr std::string_view kShapes =
    "must be a string, a list of token ids and strings, an object with prompt_string or content, or a list of these";

class Reader {
 public:
  Reader(std::string_view param, const Service& service) : param_(param), service_(service) {}

  PromptList read_all(const json::value& value) {
    PromptList list;
    const json::array* several = value.if_array();
    if (several && std::none_of(several->begin(), several->end(), [](const auto& each) { return each.is_number(); })) {
      if (several->empty()) throw invalid_field(param_, "is empty");
      if (several->size() > kMaxPrompts)
        throw invalid_field(param_, fmt::format("has {} prompts, at most {} are taken", several->size(), kMaxPrompts));
      for (const json::value& each : *several) list.prompts.push_back(read_one(each));
      list.is_list = true;
    } else {
      list.prompts.push_back(read_one(value));
    }
    return list;
  }

 private:
  std::vector<int32_t> read_one(const json::value& value) {
    std::vector<int32_t> ids;
    if (const json::string* text = value.if_string()) {
      ids = text_prompt_tokens(*text, param_, service_);
    } else if (const json::array* pieces = value.if_array()) {
      ids = read_mixed(*pieces);
    } else if (const json::object* object = value.if_object()) {
      ids = text_prompt_tokens(text_in(*object), param_, service_);
    } else {
      throw invalid_field(param_, kShapes);
    }
    if (ids.empty()) throw invalid_field(param_, "has a prompt without tokens");
    return ids;
  }

  std::vector<int32_t> read_mixed(const json::array& pieces) {
    std::vector<int32_t> ids;
    for (const json::value& piece : pieces) {
      std::vector<int32_t> some;
      if (const json::string* text = piece.if_string()) {
        service_.check_length(std::string_view(*text), param_);
        some = service_.model.tokenizer.encode(std::string_view(*text), &piece == &pieces.front());
      } else {
        some = read_token_ids(json::array{piece}, param_, service_.model.engine.info().vocab_size);
      }
      ids.insert(ids.end(), some.begin(), some.end());
    }
    return ids;
  }

  std::string text_in(const json::object& object) const {
    const JsonFields fields(object, std::string(param_) + ".");
    if (const json::array* media = fields.array("multimodal_data"); media && !media->empty())
      throw invalid_field(fields.path("multimodal_data"), "is not supported: this model reads text only");
    if (fields.find("multimodal_data") == nullptr && fields.find("content") == nullptr) {
      const std::optional<std::string> text = fields.string("prompt_string");
      if (!text) throw invalid_field(param_, kShapes);
      return *text;
    }
    return text_of_parts(fields);
  }

  std::string text_of_parts(const JsonFields& fields) const {
    if (const std::optional<std::string> text = fields.string("prompt_string")) return *text;
    const json::array* parts = fields.array("content");
    if (parts == nullptr) throw invalid_field(param_, kShapes);
    std::string text;
    for (const json::value& part : *parts) {
      const json::object* object = part.if_object();
      if (object == nullptr) throw invalid_field(fields.path("content"), "must have objects with type and text");
      const JsonFields members(*object, fields.path("content."));
      if (members.string("type") != "text")
        throw invalid_field(fields.path("content"), "must have parts of type text: this model reads nothing else");
      const std::optional<std::string> words = members.string("text");
      if (!words) throw invalid_field(members.path("text"), "is missing");
      text += *words;
    }
    return text;
  }

  const std::string_view param_;
  const Service& service_;
};

}  // namespace

PromptList read_prompt_list(const json::value& value, std::string_view param, const Service& service) {
  return Reader(param, service).read_all(value);
}

}  // namespace paro::server
