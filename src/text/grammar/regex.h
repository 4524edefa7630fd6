// Regular expressions of ECMAScript, as far as they are regular: no look-around, back-references or word boundaries.
// Lazy quantifiers are as good as greedy ones, since only whether a text matches is asked.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "text/grammar/grammar_builder.h"

namespace paro::text {

struct RegexOptions {
  // Whether an expression without anchors may match a part of the text (JSON schema), or must match all of it.
  bool matches_part = false;
  // How one character of a set (normalized) is written; without, as itself.
  std::function<GrammarBuilder::Expression(std::span<const CodeRange>)> write_character;
};

// Throws Error{request} naming the character of `pattern` and what is wrong or not supported there.
GrammarBuilder::Expression read_regex(GrammarBuilder& builder, std::string_view pattern,
                                      const RegexOptions& options = {});

}  // namespace paro::text
