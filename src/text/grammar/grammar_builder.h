// Builds a Grammar from expressions: for answers in which a schema is one part among markers and free text.
//
//   GrammarBuilder b;                                        // Gemma 4: a thought if it likes, then calls
//   auto thought = b.sequence({b.token(channel_open), b.text(), b.token(channel_close)});
//   auto call = b.sequence({b.token(call_open), b.literal("call:get_weather"), b.json_schema(parameters, options),
//                           b.token(call_close)});
//   Grammar g = b.build(b.sequence({b.optional(thought), b.repeat(call, 1)}));
//
//   b.repeat(b.sequence({b.text_until("<tool_call>"), rest_of_call}), 0) and then b.text_without("<tool_call>"):
//   free text that may hold calls anywhere, each of which is held to `rest_of_call` once its marker stands.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/grammar.h"

namespace paro::text {

struct CodeRange {
  char32_t low;
  char32_t high;  // inclusive
};

// Expressions and rules belong to the builder that made them. An expression may stand in several places. Throws
// Error{request} when the grammar exceeds kMaxGrammarExpressions.
class GrammarBuilder {
 public:
  struct Expression {
    uint32_t index;
  };
  struct Rule {
    uint32_t index;
  };
  static constexpr uint32_t kUnbounded = UINT32_MAX;

  GrammarBuilder();
  ~GrammarBuilder();

  Expression empty();
  Expression never();  // matches nothing: an alternative that cannot be taken
  Expression literal(std::string_view bytes);
  Expression byte(uint8_t low, uint8_t high);                                        // one byte of [low, high]
  Expression character(std::span<const CodeRange> ranges, bool is_negated = false);  // one character, as UTF-8
  Expression any_character();

  // Exactly this token, special or not. A special token matches nothing else.
  Expression token(int32_t id);

  // Any tokens but special ones, also none.
  Expression text();

  // Text that ends with the marker's first occurrence, and text in which the marker does not occur. The marker (not
  // empty) is found by its bytes, however tokens cut it. Up to a token: sequence({text(), token(id)}).
  Expression text_until(std::string_view marker);
  Expression text_without(std::string_view marker);

  Expression sequence(std::span<const Expression> parts);
  Expression sequence(std::initializer_list<Expression> parts) {
    return sequence(std::span(parts.begin(), parts.size()));
  }
  Expression alternatives(std::span<const Expression> parts);
  Expression alternatives(std::initializer_list<Expression> parts) {
    return alternatives(std::span(parts.begin(), parts.size()));
  }
  Expression choice(std::span<const std::string> literals);
  Expression repeat(Expression part, uint32_t min, uint32_t max = kUnbounded);
  Expression optional(Expression part) { return repeat(part, 0, 1); }

  // A rule may be used before it is defined, and within itself, though not at its own beginning (left recursion).
  Rule declare_rule(std::string name);
  void define(Rule rule, Expression body);
  Expression use(Rule rule);

  Expression embed(const Grammar& grammar);
  Expression json_schema(const boost::json::value& schema, const JsonSchemaOptions& options = {});
  Expression json_value(const JsonSchemaOptions& options = {});   // any value
  Expression json_object(const JsonSchemaOptions& options = {});  // any object

  // Empties the builder. Throws Error{request} for a rule without a definition, for left recursion, and where nothing
  // matches.
  Grammar build(Expression root);

 private:
  std::unique_ptr<GrammarTree> tree_;
};

}  // namespace paro::text
