// What the calls of a model may be, as grammars: for each notation its own.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "text/grammar/grammar_builder.h"
#include "text/tokenizer.h"

namespace paro::text {

// A function that may be called. Nothing is owned.
struct CallableFunction {
  std::string_view name;
  const boost::json::value* parameters = nullptr;  // JSON schema of its arguments
  bool is_strict = false;                          // what of the schema cannot be held to is an Error
};

// One call, with its markers. Throws Error{request} about the schema.
using CallGrammar = GrammarBuilder::Expression (*)(GrammarBuilder& builder, const Tokenizer& tokenizer,
                                                   const CallableFunction& function);

GrammarBuilder::Expression gemma4_call(GrammarBuilder& builder, const Tokenizer& tokenizer,
                                       const CallableFunction& function);
GrammarBuilder::Expression qwen3_call(GrammarBuilder& builder, const Tokenizer& tokenizer,
                                      const CallableFunction& function);
GrammarBuilder::Expression qwen35_call(GrammarBuilder& builder, const Tokenizer& tokenizer,
                                       const CallableFunction& function);
GrammarBuilder::Expression llama3_call(GrammarBuilder& builder, const Tokenizer& tokenizer,
                                       const CallableFunction& function);

}  // namespace paro::text
