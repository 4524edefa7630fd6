// UTF-8 as Python sees a str: counting and indexing by code point, its classes of characters and its case mappings.
// All functions but valid() and repaired() take valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace paro::text::jinja {

bool valid_utf8(std::string_view text);
std::string repaired_utf8(std::string_view text);  // every byte that is no UTF-8 becomes U+FFFD

char32_t decode_at(std::string_view text, size_t& offset);  // moves offset past the code point
void append_utf8(std::string& out, char32_t c);
std::u32string to_code_points(std::string_view text);
std::string to_utf8(std::u32string_view code_points);
int64_t count_code_points(std::string_view text);

bool is_space(char32_t c);  // str.isspace, which is also \s of re
bool is_line_break(char32_t c);
bool is_printable(char32_t c);
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_word(char32_t c);  // \w of re
bool is_identifier(std::string_view text);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);  // str.title
std::string capitalized(std::string_view text);
std::string swapped_case(std::string_view text);
std::string case_folded(std::string_view text);

}  // namespace paro::text::jinja
