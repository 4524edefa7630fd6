// The three tables of filters; find_filter (runtime.h) looks in all of them.
#pragma once

#include "text/jinja/runtime.h"

namespace paro::text::jinja {

Builtin find_text_filter(std::string_view name);      // filters_text.cpp
Builtin find_sequence_filter(std::string_view name);  // filters_sequence.cpp
Builtin find_number_filter(std::string_view name);    // filters_number.cpp

}  // namespace paro::text::jinja
