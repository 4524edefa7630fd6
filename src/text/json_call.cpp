#include "text/json_call.h"

namespace paro::text {

std::string_view JsonCallReader::read(std::string_view text) {
  const std::string_view rest = scanner_.push(text);
  if (scanner_.state() == ObjectScanner::State::malformed) fail();
  if (scanner_.state() == ObjectScanner::State::complete) {
    if (!has_name_) fail();
    if (!has_arguments_) {  // a function without parameters
      start(name_);
      arguments_.value("{}");
    }
    complete();
  }
  return rest;
}

void JsonCallReader::begin_object() {
  if (at(Member::name)) fail();
  ++depth_;
  if (!in_arguments()) return;
  arguments_.begin_object();
  start_if_certain();
}

void JsonCallReader::end_object() {
  if (in_arguments()) arguments_.end_object();
  --depth_;
  if (at(Member::arguments)) has_arguments_ = true;
}

void JsonCallReader::begin_array() {
  if (depth_ == 1 && member_ != Member::other) fail();
  ++depth_;
  if (in_arguments()) arguments_.begin_array();
}

void JsonCallReader::end_array() {
  if (in_arguments()) arguments_.end_array();
  --depth_;
}

void JsonCallReader::key(std::string_view text) {
  if (in_arguments()) arguments_.key(text);
  if (depth_ != 1) return;
  member_ = Member::other;
  if (text == "name") {
    if (!has_name_) member_ = Member::name;
  } else if (text == "arguments" || text == "parameters") {
    if (!has_arguments_) member_ = Member::arguments;
  } else if (tools_ && text != "type" && text != "id") {
    fail();
  }
}

void JsonCallReader::begin_string() {
  if (at(Member::arguments)) fail();
  if (in_arguments()) arguments_.begin_string();
}

void JsonCallReader::string_part(std::string_view text) {
  if (at(Member::name)) name_ += text;
  if (in_arguments()) arguments_.string_part(text);
}

void JsonCallReader::end_string() {
  if (in_arguments()) arguments_.end_string();
  if (!at(Member::name)) return;
  has_name_ = true;
  if (name_.empty() || (tools_ && !tools_->has(name_))) fail();
  start_if_certain();
}

void JsonCallReader::scalar(std::string_view json) {
  if (in_arguments()) arguments_.scalar(json);
  if (at(Member::name) || (at(Member::arguments) && json != "null")) fail();
}

void JsonCallReader::start_if_certain() {
  if (has_name_ && (has_arguments_ || in_arguments())) start(name_);
}

}  // namespace paro::text
