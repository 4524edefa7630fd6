// The facts card for a terminal: a line for each fact, a table for each list of them, bytes as people read them.
#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace paro::cli {

std::string card_text(const boost::json::object& card);

}  // namespace paro::cli
