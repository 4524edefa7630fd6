// Messages as clients send them made into what chat templates read.
#pragma once

#include <boost/json/array.hpp>

namespace paro::text {

struct MessageRules {
  bool keeps_parts = false;              // the template walks lists of text parts; else they are joined
  bool tool_results_as_objects = false;  // a tool's content that is the text of a JSON object becomes that object
};

// `messages` are objects whose members have the types of the OpenAI schema. The role developer becomes system;
// arguments of calls become objects where they are the text of one, or missing; `reasoning` is also known as
// reasoning_content.
boost::json::array prepare_messages(const boost::json::array& messages, const MessageRules& rules);

}  // namespace paro::text
