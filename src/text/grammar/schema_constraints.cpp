#include "text/grammar/schema_constraints.h"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <iterator>

#include "text/grammar/regex.h"

namespace paro::text {
namespace {

namespace json = boost::json;
constexpr uint32_t kUnbounded = GrammarBuilder::kUnbounded;
constexpr uint32_t kMaxDivisor = 100;

Decimal decimal_of(const json::value& number) {
  if (number.is_double()) return Decimal::from_double(number.get_double());
  Decimal out;
  out.is_negative = number.is_int64() && number.get_int64() < 0;
  out.whole = number.is_uint64() ? std::to_string(number.get_uint64()) : std::to_string(number.get_int64());
  if (out.is_negative) out.whole.erase(0, 1);
  return out;
}

uint32_t type_named(const SchemaPart& part, const json::value& name) {
  constexpr std::pair<std::string_view, uint32_t> kTypes[] = {
      {"null", kNull},     {"boolean", kBoolean}, {"integer", kInteger}, {"number", kInteger | kFractional},
      {"string", kString}, {"array", kArray},     {"object", kObject}};
  for (const auto& [known, types] : kTypes) {
    if (name.is_string() && name.get_string() == known) return types;
  }
  part.fail("type", fmt::format("{} is no type; expected null, boolean, integer, number, string, array or object",
                                json::serialize(name)));
}

uint32_t type_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return kNull;
    case json::kind::bool_:
      return kBoolean;
    case json::kind::string:
      return kString;
    case json::kind::array:
      return kArray;
    case json::kind::object:
      return kObject;
    case json::kind::double_:
      return value.get_double() == std::floor(value.get_double()) ? kInteger : kFractional;
    default:
      return kInteger;
  }
}

bool is_equal(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return compare(decimal_of(a), decimal_of(b)) == 0;
  return a == b;
}

class ConstraintReader {
 public:
  ConstraintReader(SchemaConstraints& out, bool is_strict) : out_(out), is_strict_(is_strict) {}

  void read(const SchemaPart& part) {
    for (const auto& member : part.schema->get_object()) {
      const json::string_view keyword = member.key();
      if (!is_strict_ || keyword_kind(keyword) != KeywordKind::unsupported) continue;
      const bool is_idle = keyword == "uniqueItems" && member.value() == json::value(false);
      if (!is_idle) part.fail(keyword, "this keyword is not supported");
    }
    read_types(part);
    read_values(part);
    read_numbers(part);
    read_strings(part);
    out_.min_items = std::max(out_.min_items, part.count("minItems", 0));
    out_.max_items = std::min(out_.max_items, part.count("maxItems", kUnbounded));
    out_.min_properties = std::max(out_.min_properties, part.count("minProperties", 0));
    out_.max_properties = std::min(out_.max_properties, part.count("maxProperties", kUnbounded));
    const auto has_any = [&](std::initializer_list<std::string_view> keywords) {
      return std::ranges::any_of(keywords, [&](std::string_view keyword) { return part.find(keyword) != nullptr; });
    };
    if (has_any({"items", "prefixItems", "additionalItems", "unevaluatedItems"})) out_.array_parts.push_back(part);
    if (has_any({"properties", "patternProperties", "additionalProperties", "propertyNames", "required",
                 "unevaluatedProperties"})) {
      out_.object_parts.push_back(part);
    }
  }

 private:
  void read_types(const SchemaPart& part) {
    const json::value* const type = part.find("type");
    if (!type) return;
    uint32_t types = 0;
    if (type->is_array()) {
      for (const json::value& name : type->get_array()) types |= type_named(part, name);
    } else {
      types = type_named(part, *type);
    }
    out_.types &= types;
  }

  void keep(const std::vector<const json::value*>& values) {
    if (!out_.values) {
      out_.values = values;
      return;
    }
    std::erase_if(*out_.values, [&](const json::value* value) {
      return std::ranges::none_of(values, [&](const json::value* other) { return is_equal(*value, *other); });
    });
  }

  void read_values(const SchemaPart& part) {
    if (const json::array* const values = part.find_array("enum")) {
      std::vector<const json::value*> all;
      for (const json::value& value : *values) all.push_back(&value);
      keep(all);
    }
    if (const json::value* const value = part.find("const")) keep({value});
  }

  void read_numbers(const SchemaPart& part) {
    const auto bound = [&](std::string_view keyword) -> std::optional<Decimal> {
      const json::value* const value = part.find(keyword);
      if (!value) return std::nullopt;
      if (!value->is_number()) part.fail(keyword, "expected a number");
      return decimal_of(*value);
    };
    // As Draft 4 had it, "exclusiveMinimum": true belongs to "minimum".
    const auto is_flag = [&](std::string_view keyword) {
      const json::value* const value = part.find(keyword);
      return value && value->is_bool();
    };
    const auto is_set = [&](std::string_view keyword) { return is_flag(keyword) && part.find(keyword)->get_bool(); };
    const auto raise = [&](const std::optional<Decimal>& low, bool excludes) {
      if (!low) return;
      const int order = out_.range.low ? compare(*low, *out_.range.low) : 1;
      if (order > 0) {
        out_.range.low = low;
        out_.range.excludes_low = excludes;
      } else if (order == 0) {
        out_.range.excludes_low |= excludes;
      }
    };
    const auto lower = [&](const std::optional<Decimal>& high, bool excludes) {
      if (!high) return;
      const int order = out_.range.high ? compare(*high, *out_.range.high) : -1;
      if (order < 0) {
        out_.range.high = high;
        out_.range.excludes_high = excludes;
      } else if (order == 0) {
        out_.range.excludes_high |= excludes;
      }
    };
    raise(bound("minimum"), is_set("exclusiveMinimum"));
    lower(bound("maximum"), is_set("exclusiveMaximum"));
    if (!is_flag("exclusiveMinimum")) raise(bound("exclusiveMinimum"), true);
    if (!is_flag("exclusiveMaximum")) lower(bound("exclusiveMaximum"), true);
    if (const std::optional<Decimal> multiple = bound("multipleOf")) read_multiple(part, *multiple);
  }

  // Of 1, 0.1, 0.01, ... by the digits behind the point, of other whole numbers by the remainder.
  void read_multiple(const SchemaPart& part, const Decimal& multiple) {
    if (multiple.is_negative || multiple.is_zero()) part.fail("multipleOf", "expected a number above 0");
    const bool is_fraction_of_ten = multiple.whole == "0" && multiple.fraction.back() == '1' &&
                                    multiple.fraction.find_first_not_of('0') == multiple.fraction.size() - 1;
    const bool is_whole = multiple.fraction.empty() && multiple.whole.size() <= 4 && !out_.divisor &&
                          std::stoul(multiple.whole) <= kMaxDivisor;
    if (is_fraction_of_ten) {
      out_.max_fraction_digits =
          std::min(out_.max_fraction_digits.value_or(UINT32_MAX), uint32_t(multiple.fraction.size()));
    } else if (is_whole) {
      out_.max_fraction_digits = 0;
      if (multiple.whole != "1") out_.divisor = uint32_t(std::stoul(multiple.whole));
    } else if (is_strict_) {
      part.fail("multipleOf",
                fmt::format("one whole number of at most {}, or 0.1, 0.01, ... is supported", kMaxDivisor));
    }
  }

  void read_strings(const SchemaPart& part) {
    out_.min_length = std::max(out_.min_length, part.count("minLength", 0));
    out_.max_length = std::min(out_.max_length, part.count("maxLength", kUnbounded));
    if (const json::string* const pattern = part.find_string("pattern")) {
      if (is_readable(part, *pattern)) out_.patterns.emplace_back(*pattern);
    }
    if (const json::string* const format = part.find_string("format")) {
      std::string pattern = format_pattern(*format);
      if (!pattern.empty()) {
        out_.patterns.push_back(std::move(pattern));
      } else if (is_strict_ && (out_.types & kString) != 0) {
        part.fail("format", fmt::format("'{}' is not supported", std::string_view(*format)));
      }
    }
  }

  bool is_readable(const SchemaPart& part, std::string_view pattern) const {
    try {
      GrammarBuilder builder;
      read_regex(builder, pattern, {.matches_part = true, .write_character = {}});
      return true;
    } catch (const Error& error) {
      if (is_strict_) part.fail("pattern", error.message());
      return false;
    }
  }

  SchemaConstraints& out_;
  const bool is_strict_;
};

}  // namespace

bool SchemaConstraints::constrains_numbers() const { return range.low || range.high || divisor || max_fraction_digits; }

bool SchemaConstraints::constrains_strings() const {
  return min_length > 0 || max_length != kUnbounded || !patterns.empty();
}

bool SchemaConstraints::constrains_arrays() const {
  return min_items > 0 || max_items != kUnbounded || !array_parts.empty();
}

bool SchemaConstraints::constrains_objects() const {
  return min_properties > 0 || max_properties != kUnbounded || !object_parts.empty();
}

bool SchemaConstraints::is_unconstrained() const {
  return types == kAnyType && !values && !constrains_numbers() && !constrains_strings() && !constrains_arrays() &&
         !constrains_objects();
}

TextSet SchemaConstraints::strings() const {
  if ((types & kString) == 0) return TextSet::none();
  TextSet set = TextSet::all();
  if (min_length > 0 || max_length != kUnbounded) set = TextSet::of_length(min_length, max_length);
  for (const std::string& pattern : patterns) set = set.within(TextSet::matching(pattern));
  if (!values) return set;
  std::vector<std::string> texts;
  for (const json::value* value : *values) {
    if (value->is_string()) texts.emplace_back(value->get_string());
  }
  return set.within(TextSet::of(texts));
}

bool SchemaConstraints::admits(const json::value& value, const SchemaPart& where) const {
  if ((types & type_of(value)) == 0) return false;
  if (value.is_number() && constrains_numbers()) {
    const Decimal number = decimal_of(value);
    const int above = range.low ? compare(number, *range.low) : 1,
              below = range.high ? compare(*range.high, number) : 1;
    if (above < 0 || below < 0 || (above == 0 && range.excludes_low) || (below == 0 && range.excludes_high)) {
      return false;
    }
    if (max_fraction_digits && number.fraction.size() > *max_fraction_digits) return false;
    if (!divisor) return true;
    uint32_t remainder = 0;
    for (const char digit : number.whole) remainder = (remainder * 10 + uint32_t(digit - '0')) % *divisor;
    return remainder == 0;
  }
  if (value.is_string() && constrains_strings()) {
    SchemaConstraints others = *this;
    others.values.reset();
    return others.strings().contains(value.get_string());
  }
  if ((value.is_array() && constrains_arrays()) || (value.is_object() && constrains_objects())) {
    where.fail("enum",
               "arrays and objects among the values are not supported together with keywords for their contents");
  }
  return true;
}

SchemaConstraints read_constraints(const std::vector<SchemaPart>& parts, bool is_strict) {
  SchemaConstraints out;
  ConstraintReader reader(out, is_strict);
  for (const SchemaPart& part : parts) reader.read(part);
  return out;
}

}  // namespace paro::text
