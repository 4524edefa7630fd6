// Writes messages and tools of the OpenAI chat schema, which the requests of other APIs become.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string_view>
#include <utility>

#include "server/json_block.h"

namespace paro::server {

class ChatMessageWriter {
 public:
  explicit ChatMessageWriter(const boost::json::storage_ptr& memory) : messages_(memory) {}

  // Templates know one system message, so those at the head become one. What the assistant says joins its thoughts and
  // what it said before: messages of its in a row are one turn, up to its calls.
  void add(std::string_view role, std::string_view content);

  // `arguments`: an object, or the text of one.
  void add_call(std::string_view id, std::string_view name, const boost::json::value& arguments);
  void add_result(std::string_view call_id, std::string_view content);
  void add_reasoning(std::string_view text);

  boost::json::array take() { return std::move(messages_); }

 private:
  boost::json::object& assistant();  // the last message, or else a new one

  boost::json::array messages_;
};

// A function of other APIs, which has its parameters' schema, if any, under the name `parameters`. Throws ApiError 400.
boost::json::object chat_tool(const JsonBlock& tool, std::string_view parameters,
                              const boost::json::storage_ptr& memory);

}  // namespace paro::server
