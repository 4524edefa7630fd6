// Server-sent events as they go over the wire, each with the empty line that ends it.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

namespace paro::server {

std::string event_frame(const boost::json::object& data);
std::string event_frame(std::string_view name, const boost::json::object& data);

}  // namespace paro::server
