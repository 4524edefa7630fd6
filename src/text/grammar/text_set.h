// A regular set of texts (valid UTF-8) as a deterministic automaton over bytes: for the strings of a schema that
// several keywords constrain, which are an intersection.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/grammar_builder.h"
#include "text/grammar/value_writer.h"

namespace paro::text {

// Throws Error{request} where a set needs more than kMaxStates.
class TextSet {
 public:
  static constexpr size_t kMaxStates = 4000;

  static TextSet all();
  static TextSet none();
  static TextSet of_length(uint32_t min_chars, uint32_t max_chars);  // kUnbounded
  static TextSet matching(std::string_view pattern);                 // a part of the text, as JSON schema has it
  static TextSet of(std::span<const std::string> texts);

  TextSet without(const TextSet& other) const { return combined(other, true); }
  TextSet within(const TextSet& other) const { return combined(other, false); }

  bool contains(std::string_view text) const;
  bool is_empty() const { return states_.empty(); }

  // The texts as the content of a string.
  GrammarBuilder::Expression write(GrammarBuilder& builder, ValueWriter& writer) const;

 private:
  static constexpr uint16_t kDead = UINT16_MAX;
  struct State {
    std::array<uint16_t, 256> next;
    bool accepts = false;
  };

  static TextSet from_grammar(const Grammar& grammar);
  TextSet combined(const TextSet& other, bool is_without) const;
  void trim();  // leaves the states from which a text can be completed
  bool loops_on_all_beyond_ascii(uint16_t state) const;

  std::vector<State> states_;  // the first one starts; empty: no text
};

}  // namespace paro::text
