// The methods of str, in tables by what they do. Each takes the string as `self`; results of a Markup string are
// Markup.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/runtime.h"

namespace paro::text::jinja {

// nullptr: a table has no such method.
Builtin find_parts_method(std::string_view name);
Builtin find_search_method(std::string_view name);
Builtin find_letters_method(std::string_view name);
Builtin find_layout_method(std::string_view name);

// A text of the kind that `self` is.
Value like(Runtime& runtime, const Value& self, std::string text);

// Fails on what is no str, naming `what`.
const std::string& required_text(const Value* value, std::string_view what);

}  // namespace paro::text::jinja
