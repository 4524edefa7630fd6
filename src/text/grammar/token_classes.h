// Characters in 32 classes, so that one word says what a token's text is made of. A set of characters is judged by the
// classes that lie in it as a whole; the characters that grammars like to tell apart have a class of their own.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "text/grammar/grammar_builder.h"

namespace paro::text {

struct TokenClasses {
  static constexpr uint32_t kNonAscii = 1u << 30;
  static constexpr uint32_t kBroken = 1u << 31;  // bytes that are no whole characters
  static constexpr uint32_t kAll = UINT32_MAX;

  static uint32_t of_ascii(uint8_t byte);  // one bit

  // Those whose every character is in `ranges` (normalized).
  static uint32_t within(std::span<const CodeRange> ranges);
};

}  // namespace paro::text
