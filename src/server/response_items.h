// What a response consists of: items of reasoning, of text and of function calls.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace paro::server {

struct ResponseItem {
  enum class Kind { reasoning, reasoning_summary, message, function_call };

  ResponseItem(Kind item_kind, std::string_view function_name);

  // As the schema has it. One that is in_progress has no content yet.
  boost::json::object json() const;

  boost::json::object part(bool is_empty) const;  // its only content

  Kind kind;
  std::string id;
  std::string call_id, name;    // of a function call
  std::string text;             // or thoughts, or arguments
  boost::json::array logprobs;  // of the text's tokens, where they were asked for
  std::string_view status = "in_progress";
};

// The events that tell of an item's content.
struct ResponseItemEvents {
  std::string_view part;   // without .added and .done; empty where an item has no parts
  std::string_view text;   // without .delta and .done
  std::string_view index;  // the member that numbers the parts
  std::string_view whole;  // the member that has all of the text at its end
};

const ResponseItemEvents& events_of(ResponseItem::Kind kind);

}  // namespace paro::server
