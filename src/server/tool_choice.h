// The fields tools, tool_choice and parallel_tool_calls: which functions a model may call, and whether it must.
#pragma once

#include <boost/json/array.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "server/json_fields.h"

namespace paro::server {

struct ToolChoice {
  enum class Kind { none, automatic, required };

  Kind kind = Kind::none;
  bool names_function = false;         // one, which then must be called
  std::vector<std::string> functions;  // those that may be called; empty: all that are offered
  bool allows_parallel_calls = true;

  bool allows(std::string_view function) const;
};

// `tools` as the request has them, checked; nullptr: it has none. Throws ApiError 400 for what is none of the values,
// for a function that is none of the tools, and where a call is wanted without tools.
ToolChoice read_tool_choice(const JsonFields& fields, const boost::json::array* tools);

}  // namespace paro::server
