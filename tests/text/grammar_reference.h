// What a grammar allows, found the slow way and without the library's automaton: every way to read a prefix is kept as
// the list of what is still to come.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/grammar/grammar_builder.h"

namespace paro::text {

struct ReferenceGrammar {
  enum class Kind { literal, character, token, text, text_until, text_without, sequence, alternatives, repeat, rule };
  struct Expression {
    Kind kind;
    std::string bytes;
    std::vector<CodeRange> ranges;
    bool is_negated = false;
    int32_t token = 0;
    std::vector<size_t> parts;
    uint32_t min = 0, max = 0;
    size_t rule = 0;
  };
  std::vector<Expression> expressions;
  std::vector<size_t> rules;  // bodies; each can end
  size_t root = 0;

  Grammar build() const;
};

class ReferenceMatcher {
 public:
  explicit ReferenceMatcher(const ReferenceGrammar& grammar);

  bool accept_bytes(std::string_view bytes);  // false: nothing may follow
  bool accept_token(int32_t id);
  void unite(const ReferenceMatcher& other) { readings_.insert(other.readings_.begin(), other.readings_.end()); }
  void clear() { readings_.clear(); }
  bool is_dead() const { return readings_.empty(); }
  bool can_end() const { return readings_.contains({}); }

 private:
  struct Symbol {
    size_t expression;
    uint32_t min = 0, max = 0;  // of a repetition, still to come
    std::string read;           // of a character or of text with a marker
    auto operator<=>(const Symbol&) const = default;
  };
  using Reading = std::vector<Symbol>;  // what comes next stands last

  void expand(std::vector<Reading> open);
  Symbol symbol(size_t expression) const;
  void step(const Reading& reading, uint8_t byte, std::vector<Reading>& out) const;

  const ReferenceGrammar& grammar_;
  std::set<Reading> readings_;  // empty, or with a symbol last that reads a byte or a token
};

}  // namespace paro::text
