// JSON text of a file to a Boost.JSON value, with an error that names the file and the line. For this folder only.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "base/error.h"

namespace paro {

// Nesting is limited. Of a key that stands twice the last counts, as in Python's json. Throws Error{kind}.
boost::json::value parse_json(std::string_view text, ErrorKind kind, std::string_view where);

// "an integer", "a string" and so on, for messages.
std::string_view kind_name(const boost::json::value& value);

}  // namespace paro
