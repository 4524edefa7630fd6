#include "text/grammar/grammar_builder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "text/grammar/network.h"
#include "text/grammar/tree.h"

namespace paro::text {
namespace {

using Kind = GrammarTree::Kind;
using Expression = GrammarBuilder::Expression;

constexpr char32_t kLastCode = 0x10FFFF;
constexpr CodeRange kSurrogates{0xD800, 0xDFFF};

Expression add(GrammarTree& tree, Kind kind, uint32_t first = 0, uint32_t count = 0) {
  if (tree.size() > GrammarTree::kMaxSize) {
    throw Error(ErrorKind::request, "a grammar of more than {} parts; ask for a smaller one", GrammarTree::kMaxSize);
  }
  tree.expressions.push_back({kind, first, count});
  return {uint32_t(tree.expressions.size() - 1)};
}

Expression add_bytes(GrammarTree& tree, Kind kind, std::string_view bytes) {
  const uint32_t first = uint32_t(tree.bytes.size());
  tree.bytes += bytes;
  return add(tree, kind, first, uint32_t(bytes.size()));
}

Expression add_children(GrammarTree& tree, Kind kind, std::span<const Expression> parts) {
  const uint32_t first = uint32_t(tree.children.size());
  for (const Expression part : parts) tree.children.push_back(part.index);
  return add(tree, kind, first, uint32_t(parts.size()));
}

}  // namespace

std::vector<CodeRange> normalized_ranges(std::vector<CodeRange> ranges, bool is_negated) {
  if (is_negated) ranges.push_back(kSurrogates);
  std::sort(ranges.begin(), ranges.end(), [](CodeRange a, CodeRange b) { return a.low < b.low; });
  std::vector<CodeRange> merged;
  for (const CodeRange range : ranges) {
    if (!merged.empty() && range.low <= merged.back().high + 1) {
      merged.back().high = std::max(merged.back().high, range.high);
    } else {
      merged.push_back(range);
    }
  }
  std::vector<CodeRange> out;
  const auto append = [&](char32_t low, char32_t high) {
    if (low <= high && low <= kLastCode) out.push_back({low, std::min(high, kLastCode)});
  };
  if (is_negated) {
    char32_t next = 0;
    for (const CodeRange range : merged) {
      if (range.low > next) append(next, range.low - 1);
      next = range.high + 1;
    }
    append(next, kLastCode);
    return out;
  }
  for (const CodeRange range : merged) {
    append(range.low, std::min<char32_t>(range.high, kSurrogates.low - 1));
    append(std::max<char32_t>(range.low, kSurrogates.high + 1), range.high);
  }
  return out;
}

int64_t GrammarTree::memory_bytes() const {
  int64_t total = int64_t(expressions.capacity() * sizeof(Expression) + children.capacity() * sizeof(uint32_t) +
                          bytes.capacity() + ranges.capacity() * sizeof(CodeRange));
  for (const RuleBody& rule : rules) total += int64_t(sizeof(RuleBody) + rule.name.capacity());
  return total;
}

GrammarBuilder::GrammarBuilder() : tree_(std::make_unique<GrammarTree>()) {}
GrammarBuilder::~GrammarBuilder() = default;

Expression GrammarBuilder::empty() { return add(*tree_, Kind::empty); }
Expression GrammarBuilder::never() { return add(*tree_, Kind::never); }

Expression GrammarBuilder::literal(std::string_view bytes) {
  return bytes.empty() ? empty() : add_bytes(*tree_, Kind::literal, bytes);
}

Expression GrammarBuilder::byte(uint8_t low, uint8_t high) { return add(*tree_, Kind::byte_range, low, high); }

Expression GrammarBuilder::character(std::span<const CodeRange> ranges, bool is_negated) {
  const std::vector<CodeRange> normalized = normalized_ranges({ranges.begin(), ranges.end()}, is_negated);
  const uint32_t first = uint32_t(tree_->ranges.size());
  tree_->ranges.insert(tree_->ranges.end(), normalized.begin(), normalized.end());
  return normalized.empty() ? never() : add(*tree_, Kind::character, first, uint32_t(normalized.size()));
}

Expression GrammarBuilder::any_character() { return character({}, true); }
Expression GrammarBuilder::token(int32_t id) { return add(*tree_, Kind::token, uint32_t(id)); }
Expression GrammarBuilder::text() { return add(*tree_, Kind::text); }

Expression GrammarBuilder::text_until(std::string_view marker) {
  PARO_CHECK(!marker.empty(), "a marker is not empty");
  return add_bytes(*tree_, Kind::text_until, marker);
}

Expression GrammarBuilder::text_without(std::string_view marker) {
  PARO_CHECK(!marker.empty(), "a marker is not empty");
  return add_bytes(*tree_, Kind::text_without, marker);
}

Expression GrammarBuilder::sequence(std::span<const Expression> parts) {
  if (parts.size() == 1) return parts[0];
  return parts.empty() ? empty() : add_children(*tree_, Kind::sequence, parts);
}

Expression GrammarBuilder::alternatives(std::span<const Expression> parts) {
  if (parts.size() == 1) return parts[0];
  return parts.empty() ? never() : add_children(*tree_, Kind::alternatives, parts);
}

Expression GrammarBuilder::choice(std::span<const std::string> literals) {
  std::vector<Expression> parts;
  for (const std::string& bytes : literals) parts.push_back(literal(bytes));
  return alternatives(parts);
}

Expression GrammarBuilder::repeat(Expression part, uint32_t min, uint32_t max) {
  if (min > max) return never();
  if (min == 1 && max == 1) return part;
  if (max == 0) return empty();
  const uint32_t first = uint32_t(tree_->children.size());
  tree_->children.insert(tree_->children.end(), {part.index, min, max});
  return add(*tree_, Kind::repeat, first);
}

GrammarBuilder::Rule GrammarBuilder::declare_rule(std::string name) {
  tree_->rules.push_back({.name = std::move(name)});
  return {uint32_t(tree_->rules.size() - 1)};
}

void GrammarBuilder::define(Rule rule, Expression body) { tree_->rules[rule.index].body = body.index; }
Expression GrammarBuilder::use(Rule rule) { return add(*tree_, Kind::use, rule.index); }

Expression GrammarBuilder::embed(const Grammar& grammar) {
  const GrammarTree& other = *grammar.tree_;
  if (tree_->size() + other.size() > GrammarTree::kMaxSize) {
    throw Error(ErrorKind::request, "a grammar of more than {} parts; ask for a smaller one", GrammarTree::kMaxSize);
  }
  const uint32_t expression_base = uint32_t(tree_->expressions.size()), child_base = uint32_t(tree_->children.size());
  const uint32_t byte_base = uint32_t(tree_->bytes.size()), range_base = uint32_t(tree_->ranges.size());
  const uint32_t rule_base = uint32_t(tree_->rules.size());
  tree_->children.insert(tree_->children.end(), other.children.begin(), other.children.end());
  tree_->bytes += other.bytes;
  tree_->ranges.insert(tree_->ranges.end(), other.ranges.begin(), other.ranges.end());
  for (const GrammarTree::RuleBody& rule : other.rules)
    tree_->rules.push_back({rule.name, rule.body + expression_base});
  for (GrammarTree::Expression expression : other.expressions) {
    uint32_t n_references = 0;
    switch (expression.kind) {
      case Kind::literal:
      case Kind::text_until:
      case Kind::text_without:
        expression.first += byte_base;
        break;
      case Kind::character:
        expression.first += range_base;
        break;
      case Kind::sequence:
      case Kind::alternatives:
        n_references = expression.count;
        break;
      case Kind::repeat:
        n_references = 1;
        break;
      case Kind::use:
        expression.first += rule_base;
        break;
      default:
        break;
    }
    if (n_references > 0) {
      expression.first += child_base;
      for (uint32_t i = 0; i < n_references; ++i) tree_->children[expression.first + i] += expression_base;
    }
    tree_->expressions.push_back(expression);
  }
  return {other.root + expression_base};
}

Grammar GrammarBuilder::build(Expression root) {
  tree_->root = root.index;
  return Grammar(std::exchange(tree_, std::make_unique<GrammarTree>()));
}

}  // namespace paro::text
