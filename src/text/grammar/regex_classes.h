// The sets of characters that escapes of a regular expression stand for.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "text/grammar/grammar_builder.h"

namespace paro::text {

// \d \w \s and, negated, \D \W \S; nullopt for other letters.
std::optional<std::vector<CodeRange>> regex_class(char32_t letter);

// \p{name}: a general category by its short or long name (L, Letter, Lu, ...), with or without General_Category=.
std::optional<std::vector<CodeRange>> unicode_category(std::string_view name);

// What . stands for: all but line ends.
std::vector<CodeRange> any_but_line_ends();

}  // namespace paro::text
