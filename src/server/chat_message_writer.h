// Writes messages of the OpenAI chat schema, which the requests of other APIs become.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string_view>
#include <utility>

namespace paro::server {

class ChatMessageWriter {
 public:
  explicit ChatMessageWriter(const boost::json::storage_ptr& memory) : messages_(memory) {}

  // Templates know one system message, so those at the head become one. What the assistant says joins its thoughts.
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

}  // namespace paro::server
