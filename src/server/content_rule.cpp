#include "server/content_rule.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "server/api_error.h"

namespace paro::server {
namespace {

namespace json = boost::json;
using Kind = ContentRule::Kind;

constexpr size_t kMaxChoices = 1024;

class RuleReader {
 public:
  explicit RuleReader(const json::storage_ptr& memory) : memory_(memory) {}

  void read(const JsonFields& fields) {
    read_response_format(fields);
    read_grammar(fields, "grammar", "grammar");
    read_schema(fields, "json_schema", "json_schema");
    read_schema(fields, "guided_json", "guided_json");
    read_regex(fields, "guided_regex", "guided_regex");
    read_choice(fields, "guided_choice", "guided_choice");
    read_grammar(fields, "guided_grammar", "guided_grammar");
    const json::object* object = fields.object("structured_outputs");
    if (object == nullptr) return;
    const JsonFields outputs(*object, "structured_outputs.");
    read_schema(outputs, "json", "structured_outputs.json");
    read_regex(outputs, "regex", "structured_outputs.regex");
    read_choice(outputs, "choice", "structured_outputs.choice");
    read_grammar(outputs, "grammar", "structured_outputs.grammar");
    if (outputs.boolean("json_object").value_or(false)) begin(Kind::json_object, "structured_outputs.json_object");
  }

  std::optional<ContentRule> rule;

 private:
  ContentRule& begin(Kind kind, std::string field) {
    if (rule) throw invalid_field(field, fmt::format("cannot be had together with {}", rule->field));
    rule.emplace(memory_);
    rule->kind = kind;
    rule->field = std::move(field);
    return *rule;
  }

  void read_response_format(const JsonFields& fields) {
    const json::object* object = fields.object("response_format");
    if (object == nullptr) return;
    const JsonFields format(*object, "response_format.");
    const std::string type = format.string("type").value_or("");
    if (type == "text") return;
    if (type == "json_object") {
      // llama.cpp takes a schema here.
      if (format.find("schema")) return read_schema(format, "schema", "response_format.schema");
      begin(Kind::json_object, "response_format");
      return;
    }
    if (type != "json_schema") throw invalid_field("response_format.type", "must be text, json_object or json_schema");
    // OpenAI's {json_schema: {name, schema, strict}}, or {schema, strict} itself as /responses has it.
    const json::object* inner = format.object("json_schema");
    const std::string at = inner ? "response_format.json_schema." : "response_format.";
    const JsonFields definition(inner ? *inner : *object, at);
    definition.string("name");
    if (!definition.find("schema")) throw invalid_field(at + "schema", "is missing");
    const bool is_strict = definition.boolean("strict").value_or(false);
    read_schema(definition, "schema", at + "schema");
    rule->is_strict = is_strict;
  }

  // A schema, or its text.
  void read_schema(const JsonFields& fields, std::string_view name, const std::string& field) {
    const json::value* value = fields.find(name);
    if (value == nullptr) return;
    ContentRule& read = begin(Kind::json_schema, field);
    if (const json::string* text = value->if_string()) {
      boost::system::error_code failure;
      read.schema = json::parse(*text, failure, memory_);
      if (failure) throw invalid_field(field, fmt::format("is not valid JSON: {}", failure.message()));
    } else {
      read.schema = *value;
    }
    if (!read.schema.is_object() && !read.schema.is_bool()) throw invalid_field(field, "must be a JSON schema");
  }

  void read_regex(const JsonFields& fields, std::string_view name, const std::string& field) {
    if (std::optional<std::string> text = fields.string(name)) begin(Kind::regex, field).text = std::move(*text);
  }

  void read_grammar(const JsonFields& fields, std::string_view name, const std::string& field) {
    std::optional<std::string> text = fields.string(name);
    if (text && !text->empty()) begin(Kind::grammar, field).text = std::move(*text);
  }

  void read_choice(const JsonFields& fields, std::string_view name, const std::string& field) {
    const json::array* values = fields.array(name);
    if (values == nullptr) return;
    ContentRule& read = begin(Kind::choice, field);
    if (values->empty() || values->size() > kMaxChoices)
      throw invalid_field(field, fmt::format("must have 1 to {} texts", kMaxChoices));
    for (const json::value& value : *values) {
      if (!value.is_string()) throw invalid_field(field, "must be a list of strings");
      read.choices.emplace_back(value.get_string());
    }
  }

  const json::storage_ptr memory_;
};

}  // namespace

std::string ContentRule::key() const {
  json::array parts{static_cast<int>(kind), is_strict, schema, text};
  for (const std::string& choice : choices) parts.emplace_back(choice);
  return json::serialize(parts);
}

text::Grammar ContentRule::compile(const text::Tokenizer& tokenizer) const {
  try {
    switch (kind) {
      case Kind::json_schema:
        return text::Grammar::from_json_schema(schema, {.strict = is_strict, .notation = {}});
      case Kind::regex:
        return text::Grammar::from_regex(text);
      case Kind::choice:
        return text::Grammar::from_choice(choices);
      case Kind::grammar:
        return text::Grammar::from_gbnf(text, [&](std::string_view name) { return tokenizer.token_id(name); });
      case Kind::json_object:
        break;
    }
    return text::Grammar::json_object();
  } catch (const Error& error) {
    throw invalid_field(field, fmt::format("cannot be followed: {}", error.message()));
  }
}

std::optional<ContentRule> read_content_rule(const JsonFields& fields, const json::storage_ptr& memory) {
  RuleReader reader(memory);
  reader.read(fields);
  return std::move(reader.rule);
}

}  // namespace paro::server
