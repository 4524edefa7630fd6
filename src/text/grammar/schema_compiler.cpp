#include "text/grammar/schema_compiler.h"

#include <algorithm>
#include <utility>

#include "text/grammar/regex.h"

namespace paro::text {
namespace {

namespace json = boost::json;
using Expression = GrammarBuilder::Expression;

constexpr int kMaxDepth = 128;
constexpr size_t kMaxConjunctions = 20000;
constexpr uint32_t kMaxFractionDigits = 20;

}  // namespace

Expression SchemaCompiler::value_of(Parts parts) {
  std::vector<const json::value*> key;
  for (const SchemaPart& part : parts) key.push_back(part.schema);
  std::sort(key.begin(), key.end());
  key.erase(std::unique(key.begin(), key.end()), key.end());
  const auto [found, is_new] = known_.try_emplace(key);
  Known& known = found->second;
  if (!is_new) {
    // Met again, within itself or beside: one rule stands for all uses but the first.
    if (!known.rule) {
      known.rule = builder_.declare_rule(parts.empty() ? "any" : parts[0].pointer);
      if (known.expression) builder_.define(*known.rule, *known.expression);
    }
    return builder_.use(*known.rule);
  }
  // Of several that stand side by side none is the outermost.
  if (key.size() > 1) {
    for (const std::string_view keyword : {"unevaluatedProperties", "unevaluatedItems"})
      refuse_nested_unevaluated(parts, {}, keyword);
  }
  if (++depth_ > kMaxDepth && !parts.empty()) parts[0].fail("", fmt::format("nested more than {} deep", kMaxDepth));
  Conjunction all;
  for (const SchemaPart& part : parts) take_apart(part, all);
  const Expression expression = conjunction(all);
  --depth_;
  known.expression = expression;
  if (!known.rule) return expression;
  builder_.define(*known.rule, expression);
  return builder_.use(*known.rule);
}

void SchemaCompiler::take_apart(const SchemaPart& part, Conjunction& out) {
  if (part.schema->is_bool()) {
    out.is_never |= !part.schema->get_bool();
    return;
  }
  if (!part.schema->is_object()) part.fail("", "expected a schema: an object, true or false");
  if (std::ranges::find(out.plain, part) != out.plain.end()) return;
  if (out.plain.size() > 1000) part.fail("", "more than 1000 schemas hold at once");
  out.plain.push_back(part);
  if (const json::string* const reference = part.find_string("$ref")) {
    take_apart(source_.resolve(part, *reference), out);
  }
  if (const json::array* const all = part.find_array("allOf")) {
    for (size_t i = 0; i < all->size(); ++i) take_apart(part.at("allOf", i), out);
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const json::array* const any = part.find_array(keyword);
    if (!any) continue;
    Parts choice;
    for (size_t i = 0; i < any->size(); ++i) choice.push_back(part.at(keyword, i));
    out.choices.push_back(std::move(choice));
  }
}

Expression SchemaCompiler::conjunction(const Conjunction& all) {
  if (all.is_never) return builder_.never();
  if (all.choices.empty()) return constrained(all.plain);
  if (++n_conjunctions_ > kMaxConjunctions) {
    all.plain[0].fail("", fmt::format("more than {} combinations of anyOf and oneOf", kMaxConjunctions));
  }
  const bool stands_alone = all.choices.size() == 1 && std::ranges::all_of(all.plain, [](const SchemaPart& part) {
                              return std::ranges::all_of(part.schema->get_object(), [](const auto& member) {
                                const std::string_view keyword = member.key();
                                return keyword == "anyOf" || keyword == "oneOf" || keyword == "$ref" ||
                                       keyword_kind(keyword) == KeywordKind::annotation;
                              });
                            });
  std::vector<Expression> alternatives;
  for (const SchemaPart& option : all.choices.back()) {
    if (stands_alone) {
      alternatives.push_back(value_of({option}));
      continue;
    }
    Conjunction chosen = all;
    chosen.choices.pop_back();
    take_apart(option, chosen);
    alternatives.push_back(conjunction(chosen));
  }
  return builder_.alternatives(alternatives);
}

Expression SchemaCompiler::constrained(const Parts& parts) {
  const SchemaConstraints constraints = read_constraints(parts, options_.strict);
  if (constraints.is_unconstrained()) return writer_.any_value();
  std::vector<Expression> alternatives;
  if (constraints.values) {
    for (const json::value* value : *constraints.values) {
      if (constraints.admits(*value, parts[0])) alternatives.push_back(writer_.literal(*value));
    }
    return builder_.alternatives(alternatives);
  }
  if (constraints.types & kNull) alternatives.push_back(writer_.null());
  if (constraints.types & kBoolean) alternatives.push_back(writer_.boolean());
  if (constraints.types & (kInteger | kFractional)) alternatives.push_back(number(constraints, parts[0]));
  if (constraints.types & kString) alternatives.push_back(string(constraints, parts[0]));
  if (constraints.types & kArray) alternatives.push_back(array(constraints, parts));
  if (constraints.types & kObject) alternatives.push_back(object(constraints, parts));
  return builder_.alternatives(alternatives);
}

// An object's member may stand in several places of the object: what is large is drawn once.
Expression SchemaCompiler::as_rule(const SchemaPart& part, Expression expression) {
  const GrammarBuilder::Rule rule = builder_.declare_rule(part.pointer);
  builder_.define(rule, expression);
  return builder_.use(rule);
}

TextSet SchemaCompiler::strings_of(const Parts& parts) {
  Conjunction all;
  for (const SchemaPart& part : parts) take_apart(part, all);
  if (all.is_never) return TextSet::none();
  if (!all.choices.empty()) parts[0].fail("", "anyOf and oneOf are not supported for the names of properties");
  return read_constraints(all.plain, options_.strict).strings();
}

Expression SchemaCompiler::number(const SchemaConstraints& constraints, const SchemaPart& where) {
  const bool has_range = constraints.range.low || constraints.range.high;
  uint32_t n_digits = (constraints.types & kFractional) ? kMaxFractionDigits : 0;
  n_digits = std::min(n_digits, constraints.max_fraction_digits.value_or(n_digits));
  if (constraints.divisor) {
    if (!has_range) return multiples_of(builder_, *constraints.divisor);
    if (options_.strict) {
      where.fail("multipleOf",
                 fmt::format("{} together with minimum or maximum is not supported", *constraints.divisor));
    }
  }
  if (!has_range && n_digits == 0) return writer_.any_integer();
  if (!has_range && n_digits == kMaxFractionDigits) return writer_.any_number();
  return numbers_in(builder_, constraints.range, n_digits);
}

Expression SchemaCompiler::string(const SchemaConstraints& constraints, const SchemaPart& where) {
  const bool has_length = constraints.min_length > 0 || constraints.max_length != GrammarBuilder::kUnbounded;
  if (constraints.patterns.empty()) {
    if (!has_length) return writer_.any_string();
    return writer_.quoted(builder_.repeat(writer_.any_character(), constraints.min_length, constraints.max_length));
  }
  if (constraints.patterns.size() == 1 && !has_length) {
    const auto write = [this](std::span<const CodeRange> ranges) { return writer_.character(ranges); };
    return writer_.quoted(
        read_regex(builder_, constraints.patterns[0], {.matches_part = true, .write_character = write}));
  }
  try {
    return writer_.quoted(constraints.strings().write(builder_, writer_));
  } catch (const Error& error) {
    where.fail("", error.message());
  }
}

// What has been left over is judged by the schema that the others are parts of, and by no other.
void SchemaCompiler::refuse_nested_unevaluated(const Parts& parts, const Parts& all, std::string_view keyword) {
  for (const SchemaPart& part : parts) {
    if (part.find(keyword) && (all.empty() || !(part == all[0])) && options_.strict) {
      part.fail(keyword, "this keyword is supported in the outermost schema of those that hold at once alone");
    }
  }
}

GrammarBuilder::Expression GrammarBuilder::json_schema(const json::value& schema, const JsonSchemaOptions& options) {
  return SchemaCompiler(*this, schema, options).compile();
}

GrammarBuilder::Expression GrammarBuilder::json_value(const JsonSchemaOptions& options) {
  return ValueWriter(*this, options.notation).any_value();
}

GrammarBuilder::Expression GrammarBuilder::json_object(const JsonSchemaOptions& options) {
  return ValueWriter(*this, options.notation).any_object();
}

Grammar Grammar::from_json_schema(const json::value& schema, const JsonSchemaOptions& options) {
  GrammarBuilder builder;
  return builder.build(builder.json_schema(schema, options));
}

Grammar Grammar::json_object() {
  GrammarBuilder builder;
  return builder.build(builder.json_object());
}

}  // namespace paro::text
