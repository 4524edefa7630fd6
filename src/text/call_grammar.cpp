#include "text/call_grammar.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string_view.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "text/offered_tools.h"

namespace paro::text {
namespace {

namespace json = boost::json;
using Expression = GrammarBuilder::Expression;

Expression marker(GrammarBuilder& builder, const Tokenizer& tokenizer, std::string_view token) {
  const std::optional<int32_t> id = tokenizer.token_id(token);
  PARO_CHECK(id.has_value(), "a tokenizer without '{}' speaks another format", token);
  return builder.token(*id);
}

std::string quoted(std::string_view text) { return json::serialize(json::string_view(text)); }

Expression arguments_object(GrammarBuilder& builder, const CallableFunction& function,
                            const SchemaNotation& notation = {}) {
  const JsonSchemaOptions options{.strict = function.is_strict, .notation = notation};
  return builder.json_schema(*function.parameters, options);
}

Expression json_call(GrammarBuilder& builder, const CallableFunction& function, std::string_view arguments_name) {
  const std::string head = "{\"name\": " + quoted(function.name) + ", \"" + std::string(arguments_name) + "\": ";
  return builder.sequence({builder.literal(head), arguments_object(builder, function), builder.literal("}")});
}

// A value between tags: text as it stands where it may be a string, else JSON; with the newline and tag that end it.
Expression tagged_value(GrammarBuilder& builder, const json::value& schema, const json::object& root, bool is_strict) {
  constexpr std::string_view kEnd = "\n</parameter>\n";
  const json::value root_value(root);
  const JsonTypes types = json_types(schema, root_value);
  if (!(types & kJsonString)) {
    json::value with_definitions = schema;
    if (json::object* object = with_definitions.if_object())
      for (const std::string_view name : {"$defs", "definitions"})
        if (const json::value* definitions = root.if_contains(name)) object->emplace(name, *definitions);
    return builder.sequence(
        {builder.json_schema(with_definitions, {.strict = is_strict, .notation = {}}), builder.literal(kEnd)});
  }
  const json::object* object = schema.if_object();
  const json::value* values = object ? object->if_contains("enum") : nullptr;
  if (types == kJsonString && values && values->is_array()) {
    std::vector<std::string> choices;
    for (const json::value& value : values->get_array())
      if (value.is_string()) choices.emplace_back(value.get_string());
    return builder.sequence({builder.choice(choices), builder.literal(kEnd)});
  }
  return builder.text_until(kEnd);
}

bool requires_member(const json::object& schema, std::string_view name) {
  const json::value* required = schema.if_contains("required");
  const json::array* names = required ? required->if_array() : nullptr;
  return names && std::find(names->begin(), names->end(), json::value(json::string_view(name))) != names->end();
}

// The parameters in the schema's order; any, where it tells of none.
Expression tagged_arguments(GrammarBuilder& builder, const CallableFunction& function) {
  const json::object* schema = function.parameters->if_object();
  const json::value* properties = schema ? schema->if_contains("properties") : nullptr;
  if (properties == nullptr || !properties->is_object()) {
    const CodeRange outside[] = {{U'>', U'>'}, {U'\n', U'\n'}};
    return builder.repeat(
        builder.sequence({builder.literal("<parameter="), builder.repeat(builder.character(outside, true), 1, 64),
                          builder.literal(">\n"), builder.text_until("\n</parameter>\n")}),
        0);
  }
  std::vector<Expression> parts;
  for (const auto& [key, property] : properties->get_object()) {
    const Expression argument = builder.sequence({builder.literal("<parameter=" + std::string(key) + ">\n"),
                                                  tagged_value(builder, property, *schema, function.is_strict)});
    parts.push_back(requires_member(*schema, key) ? argument : builder.optional(argument));
  }
  return builder.sequence(parts);
}

}  // namespace

Expression gemma4_call(GrammarBuilder& builder, const Tokenizer& tokenizer, const CallableFunction& function) {
  const SchemaNotation notation{tokenizer.token_id("<|\"|>")};
  return builder.sequence({marker(builder, tokenizer, "<|tool_call>"),
                           builder.literal("call:" + std::string(function.name)),
                           arguments_object(builder, function, notation), marker(builder, tokenizer, "<tool_call|>")});
}

Expression qwen3_call(GrammarBuilder& builder, const Tokenizer& tokenizer, const CallableFunction& function) {
  return builder.sequence({marker(builder, tokenizer, "<tool_call>"), builder.literal("\n"),
                           json_call(builder, function, "arguments"), builder.literal("\n"),
                           marker(builder, tokenizer, "</tool_call>")});
}

Expression qwen35_call(GrammarBuilder& builder, const Tokenizer& tokenizer, const CallableFunction& function) {
  return builder.sequence({marker(builder, tokenizer, "<tool_call>"),
                           builder.literal("\n<function=" + std::string(function.name) + ">\n"),
                           tagged_arguments(builder, function), builder.literal("</function>\n"),
                           marker(builder, tokenizer, "</tool_call>")});
}

Expression llama3_call(GrammarBuilder& builder, const Tokenizer&, const CallableFunction& function) {
  return json_call(builder, function, "parameters");
}

}  // namespace paro::text
