// JSON as it leaves the server: one line, numbers in their shortest usual form (0.25, not 2.5E-1).
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace paro::server {

// Of values that the server built itself, or that were parsed with a limit on depth. Numbers that JSON cannot say
// become null.
std::string json_text(const boost::json::value& value);

}  // namespace paro::server
