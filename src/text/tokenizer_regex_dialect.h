// Rewrites a regular expression of Oniguruma (Ruby's dialect) so that PCRE2 with UTF and UCP matches the same.
// One difference stays: without regard to case, PCRE2 does not take one character for several (ß for ss).
#pragma once

#include <string>
#include <string_view>

namespace paro::text {

// Throws Error{tokenizer} that starts with `where` for constructs whose meaning differs and that have no equivalent.
std::string pcre2_expression(std::string_view expression, const std::string& where);

}  // namespace paro::text
