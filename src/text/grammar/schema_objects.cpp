// The members of an object: those that the schema names, in its order, then further ones.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "text/grammar/schema_compiler.h"

namespace paro::text {
namespace {

namespace json = boost::json;
using Expression = GrammarBuilder::Expression;
constexpr uint32_t kUnbounded = GrammarBuilder::kUnbounded;
constexpr size_t kMaxPatterns = 4;
constexpr size_t kMaxNames = 2000;

std::vector<std::string> required_names(const SchemaPart& part) {
  std::vector<std::string> names;
  const json::array* const required = part.find_array("required");
  if (!required) return names;
  for (const json::value& name : *required) {
    if (!name.is_string()) part.fail("required", "expected names");
    names.emplace_back(name.get_string());
  }
  return names;
}

const json::object& members(const SchemaPart& part, std::string_view keyword) {
  static const json::object kNone;
  const json::object* const found = part.find_object(keyword);
  return found ? *found : kNone;
}

}  // namespace

const TextSet& SchemaCompiler::matching(const SchemaPart& part, const std::string& pattern) {
  const auto found = patterns_.find(pattern);
  if (found != patterns_.end()) return found->second;
  try {
    return patterns_.emplace(pattern, TextSet::matching(pattern)).first->second;
  } catch (const Error& error) {
    part.fail("patternProperties", error.message());
  }
}

// What the value of a named member must satisfy: its own schemas, those of patterns that its name matches, and of parts
// that know it by neither, what they say of the rest.
SchemaCompiler::Parts SchemaCompiler::member(const SchemaConstraints& constraints, const std::string& name) {
  Parts out;
  bool is_evaluated = false;
  for (const SchemaPart& part : constraints.object_parts) {
    bool is_known = false;
    if (members(part, "properties").contains(name)) {
      out.push_back(part.at("properties", name));
      is_known = true;
    }
    for (const auto& pattern : members(part, "patternProperties")) {
      if (!matching(part, std::string(pattern.key())).contains(name)) continue;
      out.push_back(part.at("patternProperties", pattern.key()));
      is_known = true;
    }
    if (!is_known && part.find("additionalProperties")) {
      out.push_back(part.at("additionalProperties"));
      is_known = true;
    }
    is_evaluated |= is_known;
  }
  for (const SchemaPart& part : constraints.object_parts) {
    if (!is_evaluated && part.find("unevaluatedProperties")) out.push_back(part.at("unevaluatedProperties"));
  }
  return out;
}

// The names that are left, by which patterns they match: each such set has a schema of its own.
std::vector<SchemaCompiler::FurtherMembers> SchemaCompiler::further_members(const SchemaConstraints& constraints,
                                                                            const Parts& all,
                                                                            const std::vector<std::string>& names) {
  std::vector<std::pair<SchemaPart, std::string>> patterns;
  bool has_names_schema = false, says_of_rest = false, has_properties = false;
  for (const SchemaPart& part : constraints.object_parts) {
    for (const auto& pattern : members(part, "patternProperties")) patterns.emplace_back(part, pattern.key());
    has_names_schema |= part.find("propertyNames") != nullptr;
    says_of_rest |= part.find("additionalProperties") || part.find("unevaluatedProperties");
    has_properties |= !members(part, "properties").empty();
  }
  if (patterns.size() > kMaxPatterns) {
    all[0].fail("patternProperties", fmt::format("more than {} patterns at once are not supported", kMaxPatterns));
  }
  const bool is_closed = !says_of_rest && has_properties && !options_.open_objects;
  std::vector<FurtherMembers> out;
  for (uint32_t chosen = 0; chosen < 1u << patterns.size(); ++chosen) {
    if (chosen == 0 && is_closed) continue;
    Parts value;
    bool is_evaluated = false;
    for (const SchemaPart& part : constraints.object_parts) {
      bool is_known = false;
      for (size_t i = 0; i < patterns.size(); ++i) {
        if ((chosen >> i & 1) == 0 || !(patterns[i].first == part)) continue;
        value.push_back(part.at("patternProperties", patterns[i].second));
        is_known = true;
      }
      if (!is_known && part.find("additionalProperties")) {
        value.push_back(part.at("additionalProperties"));
        is_known = true;
      }
      is_evaluated |= is_known;
    }
    for (const SchemaPart& part : constraints.object_parts) {
      if (!is_evaluated && part.find("unevaluatedProperties")) value.push_back(part.at("unevaluatedProperties"));
    }
    const bool is_never = std::ranges::any_of(
        value, [](const SchemaPart& part) { return part.schema->is_bool() && !part.schema->get_bool(); });
    if (is_never) continue;
    if (names.empty() && patterns.empty() && !has_names_schema && !writer_.has_bare_keys()) {
      out.push_back({writer_.any_string(), value});
      continue;
    }
    TextSet set = writer_.has_bare_keys() ? TextSet::matching("^[^{}\\[\\],:\\x00-\\x1f]+$") : TextSet::all();
    if (!names.empty()) set = set.without(TextSet::of(names));
    for (size_t i = 0; i < patterns.size(); ++i) {
      const TextSet& matched = matching(patterns[i].first, patterns[i].second);
      set = (chosen >> i & 1) != 0 ? set.within(matched) : set.without(matched);
    }
    for (const SchemaPart& part : constraints.object_parts) {
      if (part.find("propertyNames")) set = set.within(strings_of({part.at("propertyNames")}));
    }
    if (!set.is_empty()) out.push_back({writer_.key_of(set.write(builder_, writer_)), value});
  }
  return out;
}

Expression SchemaCompiler::object(const SchemaConstraints& constraints, const Parts& all) {
  if (!constraints.constrains_objects()) return writer_.any_object();
  refuse_nested_unevaluated(constraints.object_parts, all, "unevaluatedProperties");
  std::vector<std::string> names;
  std::set<std::string> known, required;
  for (const SchemaPart& part : constraints.object_parts) {
    for (const auto& property : members(part, "properties")) {
      if (known.insert(property.key()).second) names.emplace_back(property.key());
    }
  }
  for (const SchemaPart& part : constraints.object_parts) {
    for (const std::string& name : required_names(part)) {
      required.insert(name);
      if (known.insert(name).second) names.push_back(name);
    }
  }
  if (names.size() > kMaxNames) all[0].fail("properties", fmt::format("more than {} properties", kMaxNames));
  std::optional<TextSet> allowed_names;
  for (const SchemaPart& part : constraints.object_parts) {
    if (!part.find("propertyNames")) continue;
    const TextSet set = strings_of({part.at("propertyNames")});
    allowed_names = allowed_names ? allowed_names->within(set) : set;
  }
  const auto pair = [&](Expression name, Expression value) {
    return builder_.sequence({name, writer_.colon(), value});
  };
  std::vector<Expression> properties;
  for (const std::string& name : names) {
    const bool is_allowed = !allowed_names || allowed_names->contains(name);
    properties.push_back(is_allowed ? pair(writer_.key(name), value_of(member(constraints, name))) : builder_.never());
  }
  std::vector<Expression> further;
  for (const FurtherMembers& more : further_members(constraints, all, names)) {
    further.push_back(pair(more.name, value_of(more.value)));
  }

  const uint32_t min = constraints.min_properties, max = constraints.max_properties;
  // So many members need to be told apart: none and some for the commas, and more where they are counted.
  const bool counts = min > required.size() || (max != kUnbounded && (max < names.size() || !further.empty()));
  const uint32_t last_count = !counts ? 1 : max == kUnbounded ? std::max(min, 1u) : std::max(max, 1u);
  const auto with_comma = [&](uint32_t count, Expression item) {
    return count > 0 ? builder_.sequence({writer_.comma(), item}) : item;
  };
  std::map<std::pair<size_t, uint32_t>, GrammarBuilder::Rule> rules;  // from a property on, after so many members
  const std::function<Expression(size_t, uint32_t)> from = [&](size_t i, uint32_t count) -> Expression {
    if (i == names.size()) {
      const uint32_t missing = counts && count < min ? min - count : 0;
      const uint32_t room = counts && max != kUnbounded ? max - std::min(max, count) : kUnbounded;
      if (further.empty() || room == 0) return missing > 0 ? builder_.never() : builder_.empty();
      const Expression item = builder_.alternatives(further);
      if (count > 0) return builder_.repeat(with_comma(1, item), missing, room);
      const Expression some =
          builder_.sequence({item, builder_.repeat(with_comma(1, item), missing > 0 ? missing - 1 : 0,
                                                   room == kUnbounded ? room : room - 1)});
      return missing > 0 ? some : builder_.optional(some);
    }
    const auto [rule, is_new] = rules.try_emplace({i, count}, GrammarBuilder::Rule{});
    if (!is_new) return builder_.use(rule->second);
    const GrammarBuilder::Rule made = rule->second = builder_.declare_rule("members");
    std::vector<Expression> ways;
    const bool is_full = counts && max != kUnbounded && count >= max;
    if (!is_full) {
      const Expression rest = from(i + 1, std::min(count + 1, last_count));
      ways.push_back(builder_.sequence({with_comma(count, properties[i]), rest}));
    }
    if (!required.contains(names[i])) ways.push_back(from(i + 1, count));
    builder_.define(made, builder_.alternatives(ways));
    return builder_.use(made);
  };
  return as_rule(all[0], builder_.sequence({builder_.literal("{"), from(0, 0), builder_.literal("}")}));
}

}  // namespace paro::text
