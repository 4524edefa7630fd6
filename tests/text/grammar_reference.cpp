#include "grammar_reference.h"

#include <algorithm>
#include <span>

namespace paro::text {
namespace {

using Kind = ReferenceGrammar::Kind;

bool is_in(const ReferenceGrammar::Expression& e, char32_t low, char32_t high) {
  // Whether any character between the two is one of the expression's.
  for (char32_t code = low; code <= high; ++code) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    const bool is_listed =
        std::ranges::any_of(e.ranges, [&](CodeRange range) { return range.low <= code && code <= range.high; });
    if (is_listed != e.is_negated) return true;
  }
  return false;
}

// 0: no character of the expression starts so; 1: it may; 2: it is one.
int character_state(const ReferenceGrammar::Expression& e, std::string_view bytes) {
  const uint8_t lead = uint8_t(bytes[0]);
  const size_t length = lead < 0x80 ? 1 : lead < 0xC0 ? 9 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 9;
  if (length == 9 || bytes.size() > length) return 0;
  char32_t low = length == 1 ? lead : char32_t(lead & (0x7F >> length)), high = low;
  for (size_t i = 1; i < length; ++i) {
    if (i < bytes.size() && (uint8_t(bytes[i]) & 0xC0) != 0x80) return 0;
    low = low << 6 | (i < bytes.size() ? uint8_t(bytes[i]) & 0x3F : 0);
    high = high << 6 | (i < bytes.size() ? uint8_t(bytes[i]) & 0x3F : 0x3F);
  }
  constexpr char32_t kFirst[] = {0, 0, 0x80, 0x800, 0x10000};
  low = std::max(low, kFirst[length]);
  high = std::min<char32_t>(high, 0x10FFFF);
  if (low > high || !is_in(e, low, high)) return 0;
  return bytes.size() == length ? 2 : 1;
}

}  // namespace

Grammar ReferenceGrammar::build() const {
  GrammarBuilder builder;
  std::vector<GrammarBuilder::Rule> made_rules;
  for (size_t i = 0; i < rules.size(); ++i) made_rules.push_back(builder.declare_rule("r" + std::to_string(i)));
  std::vector<GrammarBuilder::Expression> made;
  for (const Expression& e : expressions) {
    std::vector<GrammarBuilder::Expression> parts;
    for (const size_t part : e.parts) parts.push_back(made[part]);
    switch (e.kind) {
      case Kind::literal:
        made.push_back(builder.literal(e.bytes));
        break;
      case Kind::character:
        made.push_back(builder.character(e.ranges, e.is_negated));
        break;
      case Kind::token:
        made.push_back(builder.token(e.token));
        break;
      case Kind::text:
        made.push_back(builder.text());
        break;
      case Kind::text_until:
        made.push_back(builder.text_until(e.bytes));
        break;
      case Kind::text_without:
        made.push_back(builder.text_without(e.bytes));
        break;
      case Kind::sequence:
        made.push_back(builder.sequence(parts));
        break;
      case Kind::alternatives:
        made.push_back(builder.alternatives(parts));
        break;
      case Kind::repeat:
        made.push_back(builder.repeat(parts[0], e.min, e.max));
        break;
      case Kind::rule:
        made.push_back(builder.use(made_rules[e.rule]));
        break;
    }
  }
  for (size_t i = 0; i < rules.size(); ++i) builder.define(made_rules[i], made[rules[i]]);
  return builder.build(made[root]);
}

ReferenceMatcher::ReferenceMatcher(const ReferenceGrammar& grammar) : grammar_(grammar) {
  expand({{symbol(grammar.root)}});
}

ReferenceMatcher::Symbol ReferenceMatcher::symbol(size_t expression) const {
  const auto& e = grammar_.expressions[expression];
  return {expression, e.min, e.max, {}};
}

void ReferenceMatcher::expand(std::vector<Reading> open) {
  readings_.clear();
  std::set<Reading> seen;
  while (!open.empty()) {
    Reading reading = std::move(open.back());
    open.pop_back();
    if (!seen.insert(reading).second) continue;
    if (reading.empty()) {
      readings_.insert(reading);
      continue;
    }
    const Symbol top = reading.back();
    const auto& e = grammar_.expressions[top.expression];
    reading.pop_back();
    const auto with = [&](std::vector<Symbol> more) {
      Reading next = reading;
      next.insert(next.end(), more.begin(), more.end());
      open.push_back(std::move(next));
    };
    switch (e.kind) {
      case Kind::literal:
        if (top.read == e.bytes) {
          with({});
        } else {
          with({top});
          readings_.insert(open.back());
          open.pop_back();
        }
        break;
      case Kind::text:
      case Kind::text_without:
        with({});
        [[fallthrough]];
      case Kind::character:
      case Kind::token:
      case Kind::text_until:
        reading.push_back(top);
        readings_.insert(reading);
        break;
      case Kind::sequence: {
        std::vector<Symbol> parts;
        for (size_t i = e.parts.size(); i-- > 0;) parts.push_back(symbol(e.parts[i]));
        with(parts);
        break;
      }
      case Kind::alternatives:
        for (const size_t part : e.parts) with({symbol(part)});
        break;
      case Kind::repeat: {
        if (top.min == 0) with({});
        if (top.max == 0) break;
        Symbol rest = top;
        rest.min -= rest.min > 0;
        if (rest.max != GrammarBuilder::kUnbounded) --rest.max;
        with({rest, symbol(e.parts[0])});
        break;
      }
      case Kind::rule:
        with({symbol(grammar_.rules[e.rule])});
        break;
    }
  }
}

void ReferenceMatcher::step(const Reading& reading, uint8_t byte, std::vector<Reading>& out) const {
  if (reading.empty()) return;
  Reading next = reading;
  Symbol& top = next.back();
  const auto& e = grammar_.expressions[top.expression];
  top.read += char(byte);
  switch (e.kind) {
    case Kind::literal:
      if (!e.bytes.starts_with(top.read)) return;
      break;
    case Kind::character: {
      const int state = character_state(e, top.read);
      if (state == 0) return;
      if (state == 2) next.pop_back();
      break;
    }
    case Kind::text:
      top.read.clear();
      break;
    case Kind::text_until:
    case Kind::text_without:
      if (top.read.ends_with(e.bytes)) {
        if (e.kind == Kind::text_without) return;
        next.pop_back();
      } else if (top.read.size() >= e.bytes.size()) {
        top.read.erase(0, top.read.size() - e.bytes.size() + 1);
      }
      break;
    default:
      return;
  }
  out.push_back(std::move(next));
}

bool ReferenceMatcher::accept_bytes(std::string_view bytes) {
  for (const char byte : bytes) {
    std::vector<Reading> next;
    for (const Reading& reading : readings_) step(reading, uint8_t(byte), next);
    expand(std::move(next));
  }
  return !is_dead();
}

bool ReferenceMatcher::accept_token(int32_t id) {
  std::vector<Reading> next;
  for (Reading reading : readings_) {
    if (reading.empty()) continue;
    const auto& e = grammar_.expressions[reading.back().expression];
    if (e.kind != Kind::token || e.token != id) continue;
    reading.pop_back();
    next.push_back(std::move(reading));
  }
  expand(std::move(next));
  return !is_dead();
}

}  // namespace paro::text
