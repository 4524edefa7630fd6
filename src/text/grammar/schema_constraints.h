// What several schemas that must hold at once say about a value: their keywords brought together.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/number_ranges.h"
#include "text/grammar/schema_source.h"
#include "text/grammar/text_set.h"

namespace paro::text {

enum JsonType : uint32_t {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kFractional = 8,  // numbers that are no integers
  kString = 16,
  kArray = 32,
  kObject = 64,
  kAnyType = 127,
};

struct SchemaConstraints {
  uint32_t types = kAnyType;
  std::optional<std::vector<const boost::json::value*>> values;  // of enum and const

  NumberRange range;
  std::optional<uint32_t> divisor;
  std::optional<uint32_t> max_fraction_digits;

  uint32_t min_length = 0, max_length = GrammarBuilder::kUnbounded;
  std::vector<std::string> patterns;  // of pattern and format; each is found in a part of the text

  uint32_t min_items = 0, max_items = GrammarBuilder::kUnbounded;
  uint32_t min_properties = 0, max_properties = GrammarBuilder::kUnbounded;
  std::vector<SchemaPart> array_parts, object_parts;  // those with keywords for elements and members

  bool constrains_numbers() const;
  bool constrains_strings() const;
  bool constrains_arrays() const;
  bool constrains_objects() const;
  bool is_unconstrained() const;

  // All strings that satisfy the keywords.
  TextSet strings() const;

  // Whether a value of enum or const satisfies the other keywords. `where` is told of what cannot be judged.
  bool admits(const boost::json::value& value, const SchemaPart& where) const;
};

// The keywords of `parts`, without $ref, allOf, anyOf and oneOf. Throws Error{request} for those that are wrong and,
// when strict, for those that are not supported.
SchemaConstraints read_constraints(const std::vector<SchemaPart>& parts, bool is_strict);

// A regular expression for a format, empty where it is not known.
std::string format_pattern(std::string_view format);

}  // namespace paro::text
