// What commands print: text and JSON on standard output, progress and notes on standard error. Decoration goes to
// terminals only.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "engine/options.h"

namespace paro::cli {

void print(std::string_view text);                       // at once; throws Error{io} when the output is gone
std::string to_text(const boost::json::object& object);  // indented, with a line break at its end
void print_json(const boost::json::object& object);

bool output_is_terminal();
std::string dim(std::string_view text);  // as it is when the output is no terminal

// A bar on standard error that begins with `what`; empty where that is no terminal, or has a log of JSON.
LoadProgress progress_bar(std::string what);

}  // namespace paro::cli
