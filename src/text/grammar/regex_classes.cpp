#include "text/grammar/regex_classes.h"

#include <utf8proc.h>

#include <array>
#include <map>
#include <string>
#include <utility>

#include "text/grammar/tree.h"

namespace paro::text {
namespace {

struct CategoryName {
  std::string_view short_name;  // as utf8proc has it, or its first letter
  std::string_view long_name;
};

constexpr std::array kCategories{
    CategoryName{"L", "Letter"},
    CategoryName{"Lu", "Uppercase_Letter"},
    CategoryName{"Ll", "Lowercase_Letter"},
    CategoryName{"Lt", "Titlecase_Letter"},
    CategoryName{"Lm", "Modifier_Letter"},
    CategoryName{"Lo", "Other_Letter"},
    CategoryName{"M", "Mark"},
    CategoryName{"Mn", "Nonspacing_Mark"},
    CategoryName{"Mc", "Spacing_Mark"},
    CategoryName{"Me", "Enclosing_Mark"},
    CategoryName{"N", "Number"},
    CategoryName{"Nd", "Decimal_Number"},
    CategoryName{"Nl", "Letter_Number"},
    CategoryName{"No", "Other_Number"},
    CategoryName{"P", "Punctuation"},
    CategoryName{"Pc", "Connector_Punctuation"},
    CategoryName{"Pd", "Dash_Punctuation"},
    CategoryName{"Ps", "Open_Punctuation"},
    CategoryName{"Pe", "Close_Punctuation"},
    CategoryName{"Pi", "Initial_Punctuation"},
    CategoryName{"Pf", "Final_Punctuation"},
    CategoryName{"Po", "Other_Punctuation"},
    CategoryName{"S", "Symbol"},
    CategoryName{"Sm", "Math_Symbol"},
    CategoryName{"Sc", "Currency_Symbol"},
    CategoryName{"Sk", "Modifier_Symbol"},
    CategoryName{"So", "Other_Symbol"},
    CategoryName{"Z", "Separator"},
    CategoryName{"Zs", "Space_Separator"},
    CategoryName{"Zl", "Line_Separator"},
    CategoryName{"Zp", "Paragraph_Separator"},
};

// All characters are looked at once, for all categories.
const std::vector<CodeRange>& ranges_of_category(std::string_view short_name) {
  static const std::map<std::string, std::vector<CodeRange>, std::less<>> kRanges = [] {
    std::map<std::string, std::vector<CodeRange>, std::less<>> ranges;
    for (char32_t code = 0; code <= 0x10FFFF; ++code) {
      const std::string_view name = utf8proc_category_string(utf8proc_int32_t(code));
      for (const std::string_view category : {name, name.substr(0, 1)}) {
        const auto found = ranges.find(category);
        std::vector<CodeRange>& list = found != ranges.end() ? found->second : ranges[std::string(category)];
        if (!list.empty() && list.back().high + 1 == code) {
          list.back().high = code;
        } else {
          list.push_back({code, code});
        }
      }
    }
    for (auto& [name, list] : ranges) list = normalized_ranges(std::move(list), false);
    return ranges;
  }();
  return kRanges.find(short_name)->second;
}

}  // namespace

std::optional<std::vector<CodeRange>> regex_class(char32_t letter) {
  const char32_t lower = letter | 0x20;
  std::vector<CodeRange> ranges;
  if (lower == 'd') {
    ranges = {{'0', '9'}};
  } else if (lower == 'w') {
    ranges = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  } else if (lower == 's') {
    ranges = {{0x09, 0x0D},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
              {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
  } else {
    return std::nullopt;
  }
  return normalized_ranges(std::move(ranges), letter != lower);
}

std::optional<std::vector<CodeRange>> unicode_category(std::string_view name) {
  for (const std::string_view prefix : {"General_Category=", "gc="}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  std::string_view wanted;
  for (const CategoryName& category : kCategories) {
    if (name == category.short_name || name == category.long_name) wanted = category.short_name;
  }
  if (wanted.empty()) return std::nullopt;
  return ranges_of_category(wanted);
}

std::vector<CodeRange> any_but_line_ends() {
  return normalized_ranges({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}, true);
}

}  // namespace paro::text
