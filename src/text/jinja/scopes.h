// Binds every name of a template to a variable of a frame before rendering, by the rules that jinja2 compiles by: what
// a name means in a block depends on where the block and those around it store it, not on what has run so far.
#pragma once

#include "text/jinja/ast.h"

namespace paro::text::jinja {

// Fills the scopes and places of the tree and the builtins of its filters and tests. Throws SyntaxError.
void bind_names(Template& tree);

}  // namespace paro::text::jinja
