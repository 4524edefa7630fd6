// What a request holds its answer's text to: a JSON schema, any JSON object, a regular expression, a choice of texts or
// a grammar, under the names that OpenAI, vLLM and llama.cpp give the fields.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "server/json_fields.h"
#include "text/grammar/grammar.h"
#include "text/tokenizer.h"

namespace paro::server {

struct ContentRule {
  enum class Kind { json_schema, json_object, regex, choice, grammar };

  explicit ContentRule(const boost::json::storage_ptr& memory) : schema(memory) {}

  Kind kind = Kind::json_object;
  std::string field;  // of the request, for messages
  boost::json::value schema;
  bool is_strict = true;  // what of the schema cannot be held to is an error
  std::string text;       // a regular expression, or GBNF
  std::vector<std::string> choices;

  std::string key() const;  // the same for the same rule

  // Throws ApiError 400 about the field.
  text::Grammar compile(const text::Tokenizer& tokenizer) const;
};

// response_format (its type text is none), grammar, json_schema, guided_json, guided_regex, guided_choice,
// guided_grammar, structured_outputs. Throws ApiError 400 for wrong types, and for more than one of them.
std::optional<ContentRule> read_content_rule(const JsonFields& fields, const boost::json::storage_ptr& memory);

}  // namespace paro::server
