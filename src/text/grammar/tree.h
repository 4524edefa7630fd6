// A grammar as its builder holds it: expressions that refer to others by index, and rules that name some of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/grammar/grammar_builder.h"

namespace paro::text {

struct GrammarTree {
  enum class Kind : uint8_t {
    empty,
    never,
    literal,       // bytes[first, first + count)
    byte_range,    // [first, count]
    character,     // ranges[first, first + count): sorted, disjoint, without surrogates
    token,         // id first
    text,          //
    text_until,    // the marker is bytes[first, first + count)
    text_without,  // as text_until
    sequence,      // children[first, first + count)
    alternatives,  // as sequence
    repeat,        // children[first], min and max in children[first + 1], [first + 2]
    use,           // rule first
  };
  struct Expression {
    Kind kind;
    uint32_t first = 0;
    uint32_t count = 0;
  };
  struct RuleBody {
    std::string name;
    uint32_t body = kUndefined;
  };
  static constexpr uint32_t kUndefined = UINT32_MAX;
  static constexpr size_t kMaxSize = 1 << 18;  // expressions, children, bytes and ranges together

  std::vector<Expression> expressions;
  std::vector<uint32_t> children;
  std::string bytes;
  std::vector<CodeRange> ranges;
  std::vector<RuleBody> rules;
  uint32_t root = kUndefined;

  size_t size() const { return expressions.size() + children.size() + bytes.size() + ranges.size() + rules.size(); }
  int64_t memory_bytes() const;
};

// Sorted, disjoint, without surrogates; those of U+0000..U+10FFFF that are not in `ranges` where is_negated.
std::vector<CodeRange> normalized_ranges(std::vector<CodeRange> ranges, bool is_negated);

}  // namespace paro::text
