#include "text/json_writer.h"

#include <boost/json/serialize.hpp>
#include <boost/json/string_view.hpp>

#include "base/check.h"

namespace paro::text {
namespace {

std::string quoted(std::string_view text) { return boost::json::serialize(boost::json::string_view(text)); }

}  // namespace

void JsonWriter::begin_string() {
  begin_value();
  out_ += '"';
  in_string_ = true;
}

void JsonWriter::string_part(std::string_view text) {
  const std::string json = quoted(text);
  out_.append(json, 1, json.size() - 2);
}

void JsonWriter::end_string() {
  out_ += '"';
  in_string_ = false;
}

void JsonWriter::scalar(std::string_view json) {
  begin_value();
  out_ += json;
}

void JsonWriter::close() {
  if (in_string_) end_string();
  while (!open_.empty()) end();
}

void JsonWriter::begin_value() {
  if (!open_.empty() && !std::exchange(open_.back().is_empty, false)) out_ += ',';
  if (key_) out_ += quoted(*key_) + ':';
  key_.reset();
}

void JsonWriter::begin(char opener, char closer) {
  begin_value();
  out_ += opener;
  open_.push_back({closer});
}

void JsonWriter::end() {
  PARO_CHECK(!open_.empty());
  key_.reset();
  out_ += open_.back().closer;
  open_.pop_back();
}

}  // namespace paro::text
