// How the values of a schema are written down: as JSON, or in the notation of a model's calls. JSON is compact, but for
// one space that may stand behind a comma and a colon: what has no bound a model may repeat forever.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "text/grammar/grammar_builder.h"

namespace paro::text {

class ValueWriter {
 public:
  using Expression = GrammarBuilder::Expression;

  ValueWriter(GrammarBuilder& builder, const SchemaNotation& notation) : builder_(builder), notation_(notation) {}

  Expression comma();
  Expression colon();

  // A string's marks around what is written with character() or text_character().
  Expression quoted(Expression content);
  Expression key(std::string_view name);
  Expression key_of(Expression content);  // as quoted, where keys are

  // One character of `ranges` (normalized), in its only or shortest spelling.
  Expression character(std::span<const CodeRange> ranges);
  // One character in any spelling.
  Expression any_character();
  Expression content(std::string_view text);  // of a string

  // Exactly this value, its members in this order.
  Expression literal(const boost::json::value& value);

  // Any value of a kind: each is drawn once, however many places it stands in.
  Expression any_value();
  Expression any_object();
  Expression any_array();
  Expression any_string();
  Expression any_integer();
  Expression any_number();
  Expression boolean();
  Expression null();

  bool has_bare_keys() const { return notation_.string_quote_token.has_value(); }

 private:
  Expression digits(uint32_t min, uint32_t max);
  Expression list(char open, Expression item, char close);
  Expression once(std::optional<GrammarBuilder::Rule>& rule, std::string name, Expression (ValueWriter::*draw)());
  Expression draw_value();
  Expression draw_string();
  Expression draw_integer();
  Expression draw_number();

  GrammarBuilder& builder_;
  SchemaNotation notation_;
  std::optional<GrammarBuilder::Rule> value_, string_, integer_, number_;
  std::optional<Expression> any_character_;
};

}  // namespace paro::text
