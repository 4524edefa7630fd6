#include "text/grammar/text_set.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "text/grammar/network.h"
#include "text/grammar/regex.h"
#include "text/grammar/states.h"
#include "text/grammar/tree.h"

namespace paro::text {
namespace {

using Expression = GrammarBuilder::Expression;

constexpr int64_t kMaxWorkBytes = 8 << 20;

[[noreturn]] void fail_of_size() {
  throw Error(ErrorKind::request, "the strings that the keywords leave need more than {} states; ask for simpler ones",
              TextSet::kMaxStates);
}

// Numbers what is found in the order that it is found in.
template <typename Key, typename Hash = std::hash<Key>>
class Discovery {
 public:
  uint16_t number(const Key& key) {
    const auto [found, is_new] = numbers_.try_emplace(key, uint16_t(keys.size()));
    if (is_new) {
      if (keys.size() == TextSet::kMaxStates) fail_of_size();
      keys.push_back(key);
    }
    return found->second;
  }
  std::vector<Key> keys;

 private:
  std::unordered_map<Key, uint16_t, Hash> numbers_;
};

}  // namespace

TextSet TextSet::all() {
  GrammarBuilder builder;
  return from_grammar(builder.build(builder.repeat(builder.any_character(), 0)));
}

TextSet TextSet::none() { return {}; }

TextSet TextSet::of_length(uint32_t min_chars, uint32_t max_chars) {
  if (min_chars > max_chars) return none();
  GrammarBuilder builder;
  return from_grammar(builder.build(builder.repeat(builder.any_character(), min_chars, max_chars)));
}

TextSet TextSet::matching(std::string_view pattern) {
  GrammarBuilder builder;
  const Expression expression = read_regex(builder, pattern, {.matches_part = true, .write_character = {}});
  return from_grammar(builder.build(expression));
}

TextSet TextSet::of(std::span<const std::string> texts) {
  if (texts.empty()) return none();
  return from_grammar(Grammar::from_choice(texts));
}

TextSet TextSet::from_grammar(const Grammar& grammar) {
  GrammarStates states(*grammar.network(), kMaxWorkBytes);
  Discovery<GrammarStates::State> found;
  found.number(states.start());
  TextSet out;
  for (size_t i = 0; i < found.keys.size(); ++i) {
    State& state = out.states_.emplace_back();
    for (int byte = 0; byte < 256; ++byte) {
      const GrammarStates::State next = states.next(found.keys[i], uint8_t(byte));
      state.next[size_t(byte)] = next == GrammarStates::kDead ? kDead : found.number(next);
    }
    state.accepts = states.can_end(found.keys[i]);
  }
  out.trim();
  return out;
}

TextSet TextSet::combined(const TextSet& other, bool is_without) const {
  if (is_empty()) return *this;
  if (other.is_empty()) return is_without ? *this : other;
  Discovery<uint32_t> found;  // own state and the other's, kDead where it has left the other set
  found.number(0);
  TextSet out;
  for (size_t i = 0; i < found.keys.size(); ++i) {
    const uint16_t own = uint16_t(found.keys[i] >> 16), its = uint16_t(found.keys[i]);
    State& state = out.states_.emplace_back();
    const bool its_accepts = its != kDead && other.states_[its].accepts;
    state.accepts = states_[own].accepts && its_accepts != is_without;
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint16_t own_next = states_[own].next[byte];
      const uint16_t its_next = its == kDead ? kDead : other.states_[its].next[byte];
      const bool is_dead = own_next == kDead || (!is_without && its_next == kDead);
      state.next[byte] = is_dead ? kDead : found.number(uint32_t(own_next) << 16 | its_next);
    }
  }
  out.trim();
  return out;
}

void TextSet::trim() {
  std::vector<std::vector<uint16_t>> sources(states_.size());
  std::vector<uint16_t> open;
  std::vector<char> is_live(states_.size(), false);
  for (size_t i = 0; i < states_.size(); ++i) {
    for (const uint16_t next : states_[i].next) {
      if (next != kDead && (sources[next].empty() || sources[next].back() != i)) sources[next].push_back(uint16_t(i));
    }
    if (!states_[i].accepts) continue;
    is_live[i] = true;
    open.push_back(uint16_t(i));
  }
  while (!open.empty()) {
    const uint16_t reached = open.back();
    open.pop_back();
    for (const uint16_t source : sources[reached]) {
      if (std::exchange(is_live[source], true)) continue;
      open.push_back(source);
    }
  }
  if (states_.empty() || !is_live[0]) {
    states_.clear();
    return;
  }
  std::vector<uint16_t> numbers(states_.size(), kDead);
  std::vector<State> kept;
  for (size_t i = 0; i < states_.size(); ++i) {
    if (!is_live[i]) continue;
    numbers[i] = uint16_t(kept.size());
    kept.push_back(states_[i]);
  }
  for (State& state : kept) {
    for (uint16_t& next : state.next) next = next == kDead ? kDead : numbers[next];
  }
  states_ = std::move(kept);
}

bool TextSet::contains(std::string_view text) const {
  uint16_t state = is_empty() ? kDead : 0;
  for (const char byte : text) {
    if (state == kDead) return false;
    state = states_[state].next[uint8_t(byte)];
  }
  return state != kDead && states_[state].accepts;
}

bool TextSet::loops_on_all_beyond_ascii(uint16_t state) const {
  const State& here = states_[state];
  const auto same = [&](int low, int high) {
    return std::all_of(here.next.begin() + low, here.next.begin() + high + 1,
                       [&](uint16_t next) { return next == here.next[size_t(low)] && next != kDead; });
  };
  if (!same(0xC2, 0xDF) || !same(0xE1, 0xEC) || !same(0xEE, 0xEF) || !same(0xF1, 0xF3)) return false;
  const uint16_t one = here.next[0xC2], two = here.next[0xE1];  // so many bytes are to come
  const auto leads = [&](int lead, int low, int high, uint16_t to) {
    const uint16_t from = here.next[size_t(lead)];
    return from != kDead && std::all_of(states_[from].next.begin() + low, states_[from].next.begin() + high + 1,
                                        [&](uint16_t next) { return next == to; });
  };
  return leads(0xC2, 0x80, 0xBF, state) && leads(0xE1, 0x80, 0xBF, one) && leads(0xF1, 0x80, 0xBF, two) &&
         leads(0xEE, 0x80, 0xBF, one) && leads(0xE0, 0xA0, 0xBF, one) && leads(0xED, 0x80, 0x9F, one) &&
         leads(0xF0, 0x90, 0xBF, two) && leads(0xF4, 0x80, 0x8F, two);
}

// A rule for each state that the others do not pass through. Characters that lead back to the state itself are a
// repetition, which token masks know how to accept at once.
Expression TextSet::write(GrammarBuilder& builder, ValueWriter& writer) const {
  if (is_empty()) return builder.never();
  std::vector<GrammarBuilder::Rule> rules;
  for (size_t i = 0; i < states_.size(); ++i) rules.push_back(builder.declare_rule("text"));
  for (uint16_t i = 0; i < states_.size(); ++i) {
    const bool loops_beyond = loops_on_all_beyond_ascii(i);
    std::vector<CodeRange> loop;
    std::vector<Expression> parts;
    if (states_[i].accepts) parts.push_back(builder.empty());
    for (int low = 0; low < 256;) {
      const uint16_t next = states_[i].next[size_t(low)];
      int high = low;
      while (high < 255 && high != 0x7F && states_[i].next[size_t(high) + 1] == next) ++high;
      if (next == i && low < 0x80) {
        loop.push_back({char32_t(low), char32_t(high)});
      } else if (next != kDead && !(low >= 0x80 && loops_beyond)) {
        const CodeRange range{char32_t(low), char32_t(high)};
        const Expression step =
            low < 0x80 ? writer.character(std::span(&range, 1)) : builder.byte(uint8_t(low), uint8_t(high));
        parts.push_back(builder.sequence({step, builder.use(rules[next])}));
      }
      low = high + 1;
    }
    if (loops_beyond) loop.push_back({0x80, 0x10FFFF});
    const std::vector<CodeRange> loop_ranges = normalized_ranges(std::move(loop), false);
    const Expression repeated =
        loop_ranges.empty() ? builder.empty() : builder.repeat(writer.character(loop_ranges), 0);
    builder.define(rules[i], builder.sequence({repeated, builder.alternatives(parts)}));
  }
  return builder.use(rules[0]);
}

}  // namespace paro::text
