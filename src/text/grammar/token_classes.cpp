#include "text/grammar/token_classes.h"

#include <array>

namespace paro::text {
namespace {

constexpr std::string_view kSingles = "\"\\<>{}[],:'`/-_.#@&=|\n";

constexpr std::array<uint8_t, 128> make_classes() {
  std::array<uint8_t, 128> out{};
  constexpr uint8_t kFirstGroup = uint8_t(kSingles.size());
  for (int c = 0; c < 128; ++c) {
    const auto is_in = [c](int low, int high) { return c >= low && c <= high; };
    uint8_t group = 7;  // the other punctuation
    if (is_in(0, 0x1F) || c == 0x7F) group = 0;
    if (c == ' ') group = 1;
    if (is_in('0', '9')) group = 2;
    if (is_in('A', 'Z')) group = 3;
    if (is_in('a', 'f')) group = 4;
    if (is_in('g', 'z')) group = 5;
    if (c == '(' || c == ')') group = 6;
    out[size_t(c)] = uint8_t(kFirstGroup + group);
  }
  for (size_t i = 0; i < kSingles.size(); ++i) out[size_t(kSingles[i])] = uint8_t(i);
  return out;
}

constexpr std::array<uint8_t, 128> kClassOfAscii = make_classes();
static_assert(kSingles.size() + 8 == 30);

bool contains(std::span<const CodeRange> ranges, char32_t low, char32_t high) {
  for (const CodeRange range : ranges) {
    if (range.low <= low && high <= range.high) return true;
  }
  return false;
}

}  // namespace

uint32_t TokenClasses::of_ascii(uint8_t byte) { return 1u << kClassOfAscii[byte]; }

uint32_t TokenClasses::within(std::span<const CodeRange> ranges) {
  uint32_t missing = 0;
  for (int c = 0; c < 128; ++c) {
    if (!contains(ranges, char32_t(c), char32_t(c))) missing |= of_ascii(uint8_t(c));
  }
  if (!contains(ranges, 0x80, 0xD7FF) || !contains(ranges, 0xE000, 0x10FFFF)) missing |= kNonAscii;
  return ~missing & ~kBroken;
}

}  // namespace paro::text
