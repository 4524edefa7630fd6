// The printable alphabet of byte-level vocabularies: every byte is written as one visible character, the visible ones
// of Latin-1 as themselves, the others as U+0100 and up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace paro::text {

void append_byte_level(std::string& out, std::string_view bytes);

// The bytes that `text` writes, or nothing when a character is not of the alphabet.
std::optional<std::string> from_byte_level(std::string_view text);

}  // namespace paro::text
