#include "text/function_call.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <utility>

namespace paro::text {
namespace {

namespace json = boost::json;

constexpr std::string_view kFunction = "<function=", kFunctionEnd = "</function>";
constexpr std::string_view kParameter = "<parameter=", kParameterEnd = "</parameter>";
constexpr std::string_view kSpace = " \t\r\n";

bool may_begin_with(std::string_view text, std::string_view tag) {
  return text.substr(0, tag.size()) == tag.substr(0, text.size());
}

// What stands between `tag` and '>', taken out of `text` together with them.
std::optional<std::string> take_tag(std::string_view tag, std::string& text) {
  if (!text.starts_with(tag)) return std::nullopt;
  const size_t end = text.find('>');
  if (end == std::string::npos) return std::nullopt;
  std::string name = text.substr(tag.size(), end - tag.size());
  text.erase(0, end + 1);
  return name;
}

// How much of the end of `text` may belong to the newline and the tag that end a value.
size_t n_held(std::string_view text) {
  static const std::string ending = "\n" + std::string(kParameterEnd);
  for (size_t n = std::min(ending.size() - 1, text.size()); n > 0; --n) {
    const std::string_view tail = text.substr(text.size() - n);
    if (ending.starts_with(tail) || kParameterEnd.starts_with(tail)) return n;
  }
  return 0;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

JsonTypes type_of(const json::value& value) {
  if (value.is_number()) return kJsonNumber;
  if (value.is_bool()) return kJsonBoolean;
  if (value.is_null()) return kJsonNull;
  return value.is_array() ? kJsonArray : value.is_object() ? kJsonObject : kJsonString;
}

// The JSON that `text` is, where it is of one of these types. Templates show Python's names for true, false and null.
std::optional<std::string> as_json(std::string_view text, JsonTypes types) {
  text = trimmed(text);
  if (text == "True") text = "true";
  if (text == "False") text = "false";
  if (text == "None") text = "null";
  boost::system::error_code failure;
  const json::value value = json::parse(text, failure);
  if (failure || value.is_string() || !(type_of(value) & types)) return std::nullopt;
  return std::string(text);
}

}  // namespace

std::string_view FunctionCallReader::read(std::string_view text) {
  unread_ += text;
  for (bool goes_on = true; goes_on && part_ != Part::end;) {
    if (part_ == Part::function || part_ == Part::members)
      unread_.erase(0, std::min(unread_.find_first_not_of(kSpace), unread_.size()));
    if (unread_.empty()) return {};
    switch (part_) {
      case Part::function:
        goes_on = read_function();
        break;
      case Part::members:
        goes_on = read_member();
        break;
      case Part::value_newline:
        if (unread_.front() == '\n') unread_.erase(0, 1);
        part_ = Part::value;
        break;
      case Part::value:
        goes_on = read_value();
        break;
      case Part::end:
        break;
    }
  }
  return part_ == Part::end ? text.substr(text.size() - std::min(text.size(), unread_.size())) : std::string_view();
}

bool FunctionCallReader::read_function() {
  const std::optional<std::string> name = take_tag(kFunction, unread_);
  if (!name) {
    if (!may_begin_with(unread_, kFunction) || unread_.size() > kMaxNameBytes) fail();
    return false;
  }
  if (trimmed(*name).empty()) fail();
  function_ = trimmed(*name);
  start(function_);
  arguments_.begin_object();
  part_ = Part::members;
  return true;
}

bool FunctionCallReader::read_member() {
  if (unread_.starts_with(kFunctionEnd)) {
    unread_.erase(0, kFunctionEnd.size());
    arguments_.end_object();
    part_ = Part::end;
    complete();
    return true;
  }
  const std::optional<std::string> key = take_tag(kParameter, unread_);
  if (!key) {
    const bool is_tag = may_begin_with(unread_, kFunctionEnd) || may_begin_with(unread_, kParameter);
    if (!is_tag || unread_.size() > kMaxNameBytes) fail();
    return false;
  }
  types_ = tools_ ? tools_->types(function_, trimmed(*key)) : kAnyJson;
  arguments_.key(trimmed(*key));
  if (types_ == kJsonString) arguments_.begin_string();
  part_ = Part::value_newline;
  return true;
}

bool FunctionCallReader::read_value() {
  const size_t end = unread_.find(kParameterEnd);
  if (end == std::string::npos) {
    const size_t n_certain = unread_.size() - n_held(unread_);
    take(std::string_view(unread_).substr(0, n_certain));
    unread_.erase(0, n_certain);
    return false;
  }
  const bool has_newline = end > 0 && unread_[end - 1] == '\n';
  take(std::string_view(unread_).substr(0, has_newline ? end - 1 : end));
  unread_.erase(0, end + kParameterEnd.size());
  end_value();
  part_ = Part::members;
  return true;
}

void FunctionCallReader::take(std::string_view text) {
  if (types_ == kJsonString) {
    arguments_.string_part(text);
  } else {
    value_ += text;
  }
}

void FunctionCallReader::end_value() {
  if (types_ == kJsonString) return arguments_.end_string();
  const std::string text = std::exchange(value_, {});
  if (const std::optional<std::string> value = as_json(text, types_)) return arguments_.value(*value);
  arguments_.begin_string();
  arguments_.string_part(text);
  arguments_.end_string();
}

}  // namespace paro::text
