// Values as text: str() and repr() of Python, its two formatting languages, HTML escapes and JSON.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace paro::text::jinja {

std::string float_repr(double d);
void repr(Runtime& runtime, const Value& value, Text& out);
std::string repr(Runtime& runtime, const Value& value);
std::string ascii_repr(Runtime& runtime, const Value& value);  // repr with all but ASCII escaped
void print(Runtime& runtime, const Value& value, Text& out);   // str(value)
std::string to_text(Runtime& runtime, const Value& value);

// The text of a string, shared, or str(value).
Value as_text_value(Runtime& runtime, const Value& value);

std::string escape_html(Budget& budget, std::string_view text);
Value percent_format(Runtime& runtime, const Str& format, const Value& values);         // format % values
Value brace_format(Runtime& runtime, const Str& format, Args& args);                    // format.format(...)
std::string format_value(Runtime& runtime, const Value& value, std::string_view spec);  // format(value, spec)

struct JsonStyle {
  bool ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
void write_json(Runtime& runtime, const Value& value, const JsonStyle& style, Text& out);
Value from_json(Runtime& runtime, const boost::json::value& json);

}  // namespace paro::text::jinja
