#include "text/grammar/number_ranges.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace paro::text {
namespace {

using Expression = GrammarBuilder::Expression;

constexpr uint32_t kMaxWholeDigits = 20;
constexpr uint32_t kMaxMultipleDigits = 9;

int compare_sizes(const Decimal& a, const Decimal& b) {
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -1 : 1;
  if (const int order = a.whole.compare(b.whole); order != 0) return order;
  return a.fraction.compare(b.fraction);  // without trailing zeros the order of texts is that of values
}

// Numbers that are not negative, between bounds that are not either. A bound is followed digit by digit as long as the
// number agrees with it; what has left one is free of it.
class DigitWriter {
 public:
  DigitWriter(GrammarBuilder& builder, uint32_t max_fraction_digits)
      : builder_(builder), max_fraction_digits_(max_fraction_digits) {}

  // nullptr: no bound
  Expression between(const Decimal* low, bool excludes_low, const Decimal* high, bool excludes_high) {
    excludes_low_ = excludes_low;
    excludes_high_ = excludes_high;
    std::vector<Expression> parts;
    const size_t min_digits = low ? low->whole.size() : 1;
    const size_t max_digits = high ? std::min<size_t>(high->whole.size(), kMaxWholeDigits) : kMaxWholeDigits;
    for (size_t n = min_digits; n <= max_digits; ++n) {
      const Decimal* const near_low = low && low->whole.size() == n ? low : nullptr;
      const Decimal* const near_high = high && high->whole.size() == n ? high : nullptr;
      parts.push_back(whole(n, 0, near_low, near_high));
    }
    return builder_.alternatives(parts);
  }

 private:
  Expression digit(int low, int high) { return builder_.byte(uint8_t('0' + low), uint8_t('0' + high)); }

  // Digit `at` of n before the point, and all that follows.
  Expression whole(size_t n, size_t at, const Decimal* low, const Decimal* high) {
    if (at == n) return fraction(0, low, high);
    const int first = at == 0 && n > 1 ? 1 : 0;
    if (!low && !high) {
      const uint32_t n_free = uint32_t(n - at);
      if (at == 0 && n > 1) {
        return builder_.sequence(
            {digit(1, 9), builder_.repeat(digit(0, 9), n_free - 1, n_free - 1), fraction(0, nullptr, nullptr)});
      }
      return builder_.sequence({builder_.repeat(digit(0, 9), n_free, n_free), fraction(0, nullptr, nullptr)});
    }
    const int bottom = std::max(first, low ? low->whole[at] - '0' : 0), top = high ? high->whole[at] - '0' : 9;
    return branch(bottom, top, low, high, [&](const Decimal* l, const Decimal* h) { return whole(n, at + 1, l, h); });
  }

  // Digits `at` and on behind the point; a point stands before the first.
  Expression fraction(uint32_t at, const Decimal* low, const Decimal* high) {
    std::vector<Expression> parts;
    if (may_end(at, low, high)) parts.push_back(builder_.empty());
    if (at < max_fraction_digits_) {
      Expression more = builder_.never();
      if (!low && !high) {
        more = builder_.repeat(digit(0, 9), 1, max_fraction_digits_ - at);
      } else {
        const auto bound = [at](const Decimal* d) { return at < d->fraction.size() ? d->fraction[at] - '0' : 0; };
        const bool is_above = low && at >= low->fraction.size() && !excludes_low_;
        // Behind the digits of an inclusive lower bound everything is above it.
        const Decimal* const still_low = is_above ? nullptr : low;
        if (!still_low && !high) {
          more = builder_.repeat(digit(0, 9), 1, max_fraction_digits_ - at);
        } else {
          more = branch(still_low ? bound(still_low) : 0, high ? bound(high) : 9, still_low, high,
                        [&](const Decimal* l, const Decimal* h) { return fraction(at + 1, l, h); });
        }
      }
      parts.push_back(at == 0 ? builder_.sequence({builder_.literal("."), more}) : more);
    }
    return builder_.alternatives(parts);
  }

  bool may_end(uint32_t at, const Decimal* low, const Decimal* high) const {
    if (low && (at < low->fraction.size() || excludes_low_)) return false;
    return !high || at < high->fraction.size() || !excludes_high_;
  }

  template <typename Rest>
  Expression branch(int bottom, int top, const Decimal* low, const Decimal* high, Rest rest) {
    if (bottom > top) return builder_.never();
    if (bottom == top) return builder_.sequence({digit(bottom, top), rest(low, high)});
    std::vector<Expression> parts;
    if (low) {
      parts.push_back(builder_.sequence({digit(bottom, bottom), rest(low, nullptr)}));
      ++bottom;
    }
    if (high) {
      parts.push_back(builder_.sequence({digit(top, top), rest(nullptr, high)}));
      --top;
    }
    if (bottom <= top) parts.push_back(builder_.sequence({digit(bottom, top), rest(nullptr, nullptr)}));
    return builder_.alternatives(parts);
  }

  GrammarBuilder& builder_;
  const uint32_t max_fraction_digits_;
  bool excludes_low_ = false, excludes_high_ = false;
};

}  // namespace

Decimal Decimal::from_double(double value) {
  std::array<char, 400> buffer;
  const auto end = std::to_chars(buffer.begin(), buffer.end(), value, std::chars_format::fixed).ptr;
  std::string_view text(buffer.data(), size_t(end - buffer.data()));
  Decimal out;
  out.is_negative = text.starts_with('-') && value != 0;
  if (text.starts_with('-')) text.remove_prefix(1);
  const size_t point = std::min(text.find('.'), text.size());
  out.whole = text.substr(0, point);
  if (point < text.size()) out.fraction = text.substr(point + 1);
  while (out.fraction.ends_with('0')) out.fraction.pop_back();
  return out;
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.is_negative != b.is_negative) return a.is_negative ? -1 : 1;
  return a.is_negative ? -compare_sizes(a, b) : compare_sizes(a, b);
}

Expression numbers_in(GrammarBuilder& builder, NumberRange range, uint32_t max_fraction_digits) {
  if (range.low && range.high) {
    const int order = compare(*range.low, *range.high);
    if (order > 0 || (order == 0 && (range.excludes_low || range.excludes_high))) return builder.never();
  }
  const Decimal zero;
  DigitWriter writer(builder, max_fraction_digits);
  std::vector<Expression> parts;
  if (!range.high || !range.high->is_negative) {
    const bool has_low = range.low && !range.low->is_negative;
    parts.push_back(writer.between(has_low ? &*range.low : nullptr, has_low && range.excludes_low,
                                   range.high ? &*range.high : nullptr, range.excludes_high));
  }
  if (!range.low || range.low->is_negative) {
    // Mirrored; zero is written without a sign.
    const bool has_high = range.high && range.high->is_negative;
    parts.push_back(builder.sequence(
        {builder.literal("-"), writer.between(has_high ? &*range.high : &zero, has_high ? range.excludes_high : true,
                                              range.low ? &*range.low : nullptr, range.excludes_low)}));
  }
  return builder.alternatives(parts);
}

Expression multiples_of(GrammarBuilder& builder, uint32_t divisor) {
  // [digits that may follow][remainder of those before]
  std::vector<std::vector<Expression>> rest(kMaxMultipleDigits);
  const auto next = [&](uint32_t n_left, uint32_t remainder, uint32_t first) {
    std::vector<Expression> parts;
    for (uint32_t d = first; d <= 9; ++d) {
      const uint8_t digit = uint8_t('0' + d);
      parts.push_back(builder.sequence({builder.byte(digit, digit), rest[n_left - 1][(remainder * 10 + d) % divisor]}));
    }
    return parts;
  };
  for (uint32_t n_left = 0; n_left < kMaxMultipleDigits; ++n_left) {
    for (uint32_t remainder = 0; remainder < divisor; ++remainder) {
      std::vector<Expression> parts;
      if (n_left > 0) parts = next(n_left, remainder, 0);
      if (remainder == 0) parts.push_back(builder.empty());
      const GrammarBuilder::Rule rule = builder.declare_rule("multiple");
      builder.define(rule, builder.alternatives(parts));
      rest[n_left].push_back(builder.use(rule));
    }
  }
  return builder.alternatives(
      {builder.literal("0"), builder.sequence({builder.optional(builder.literal("-")),
                                               builder.alternatives(next(kMaxMultipleDigits, 0, 1))})});
}

}  // namespace paro::text
