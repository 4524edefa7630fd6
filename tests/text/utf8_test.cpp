#include "text/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace paro::text {
namespace {

using namespace std::string_literals;

TEST(Utf8, ReplacesMaximalPartsAsPythonDoes) {
  const std::string r(kReplacementCharacter);
  EXPECT_EQ(replace_invalid_utf8("a\xFF"
                                 "b"),
            "a" + r + "b");
  EXPECT_EQ(replace_invalid_utf8("\xC0\x80"), r + r);
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82"), r);
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82"
                                 "A"),
            r + "A");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98"), r);
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98\xF0\x9F\x98\x80"), r + "\xF0\x9F\x98\x80");
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), r + r + r);
  EXPECT_EQ(replace_invalid_utf8("\xF4\x90\x80\x80"), r + r + r + r);
  EXPECT_EQ(replace_invalid_utf8("\xE0\x80\xAF"), r + r + r);
  EXPECT_EQ(replace_invalid_utf8("\x80\xBF"), r + r);
  EXPECT_EQ(replace_invalid_utf8("\0x"s), "\0x"s);
}

TEST(Utf8, KeepsEveryCharacter) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, code);
    ASSERT_TRUE(is_valid_utf8(text)) << uint32_t(code);
    ASSERT_EQ(utf8_char(text, 0).code, code);
    ASSERT_EQ(utf8_char(text, 0).length_bytes, text.size());
  }
}

TEST(Utf8, TellsTruncatedFromInvalid) {
  EXPECT_EQ(utf8_step("\xE2\x82", 0).state, Utf8State::truncated);
  EXPECT_EQ(utf8_step("\xE2\x82", 0).length_bytes, 2u);
  EXPECT_EQ(utf8_step("\xE2\x28", 0).state, Utf8State::invalid);
  EXPECT_EQ(utf8_step("\xF5", 0).state, Utf8State::invalid);
  EXPECT_EQ(utf8_step("a\xC3\xA9", 1).length_bytes, 2u);
}

TEST(Utf8, FindsInvalidBytesAtEveryOffset) {
  for (size_t offset = 0; offset < 40; ++offset) {
    std::string text(40, 'a');
    EXPECT_TRUE(is_valid_utf8(text));
    text[offset] = '\xFF';
    EXPECT_FALSE(is_valid_utf8(text)) << offset;
    EXPECT_FALSE(is_ascii(text)) << offset;
  }
}

TEST(Utf8, KnowsCharacterClasses) {
  EXPECT_TRUE(is_white_space(0x3000));
  EXPECT_TRUE(is_white_space(0x85));
  EXPECT_FALSE(is_white_space(0x180E));
  EXPECT_FALSE(is_white_space(0x200B));
  EXPECT_TRUE(is_word('_'));
  EXPECT_TRUE(is_word(0x301));
  EXPECT_TRUE(is_word(0x200D));
  EXPECT_FALSE(is_word('-'));
  EXPECT_TRUE(is_numeric(0x2178));
  EXPECT_FALSE(is_numeric('x'));
  EXPECT_TRUE(is_punctuation('$'));
  EXPECT_TRUE(is_punctuation(0xAB));
  EXPECT_FALSE(is_punctuation(0x20AC));
}

}  // namespace
}  // namespace paro::text
