// Numbers between two bounds as digits: exact, for integers and for decimal fractions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/grammar/grammar_builder.h"

namespace paro::text {

// A decimal number without exponent: digits before and behind the point, without needless zeros ("0" and "" for zero).
struct Decimal {
  bool is_negative = false;
  std::string whole = "0";
  std::string fraction;

  static Decimal from_double(double value);
  bool is_zero() const { return whole == "0" && fraction.empty(); }
};

int compare(const Decimal& a, const Decimal& b);

struct NumberRange {
  std::optional<Decimal> low, high;
  bool excludes_low = false, excludes_high = false;
};

// Up to 20 digits before the point and max_fraction_digits behind it (0: integers); never() where nothing lies between.
GrammarBuilder::Expression numbers_in(GrammarBuilder& builder, NumberRange range, uint32_t max_fraction_digits);

// Integers of up to 9 digits, negative ones too, that `divisor` divides.
GrammarBuilder::Expression multiples_of(GrammarBuilder& builder, uint32_t divisor);

}  // namespace paro::text
