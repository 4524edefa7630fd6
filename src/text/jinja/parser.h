// Tokens -> syntax tree, by the grammar and the precedences of jinja2.
#pragma once

#include <string_view>

#include "text/jinja/ast.h"

namespace paro::text::jinja {

// Throws SyntaxError. Names are bound: the tree is ready to be rendered.
Template parse_template(std::string_view source);

}  // namespace paro::text::jinja
