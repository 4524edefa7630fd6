// The three tables of filters; find_filter (runtime.h) looks in all of them.
#pragma once

#include <optional>

#include "text/jinja/runtime.h"

namespace paro::text::jinja {

Builtin find_text_filter(std::string_view name);      // filters_text.cpp
Builtin find_sequence_filter(std::string_view name);  // filters_sequence.cpp
Builtin find_number_filter(std::string_view name);    // filters_number.cpp

// float(value) of a number or a string; nothing when it is no number.
std::optional<double> to_float(const Value& value);

}  // namespace paro::text::jinja
