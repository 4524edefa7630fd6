// The elements of an array: places of their own first (prefixItems), then any number of the rest (items).
#include <algorithm>

#include "text/grammar/schema_compiler.h"

namespace paro::text {
namespace {

namespace json = boost::json;
using Expression = GrammarBuilder::Expression;

// Before Draft 2020-12 an array of schemas was "items", and the rest "additionalItems".
std::string_view prefix_keyword(const SchemaPart& part) {
  const json::value* const items = part.find("items");
  return items && items->is_array() ? "items" : "prefixItems";
}

size_t prefix_size(const SchemaPart& part) {
  const json::array* const prefix = part.find_array(prefix_keyword(part));
  return prefix ? prefix->size() : 0;
}

std::string_view rest_keyword(const SchemaPart& part) {
  return prefix_keyword(part) == "items" ? "additionalItems" : "items";
}

}  // namespace

SchemaCompiler::Parts SchemaCompiler::element(const SchemaConstraints& constraints, size_t index, bool& is_never) {
  Parts parts;
  bool is_evaluated = false;
  for (const SchemaPart& part : constraints.array_parts) {
    if (index < prefix_size(part)) {
      parts.push_back(part.at(prefix_keyword(part), index));
      is_evaluated = true;
    } else if (part.find(rest_keyword(part))) {
      parts.push_back(part.at(rest_keyword(part)));
      is_evaluated = true;
    }
  }
  for (const SchemaPart& part : constraints.array_parts) {
    if (!is_evaluated && part.find("unevaluatedItems")) parts.push_back(part.at("unevaluatedItems"));
  }
  is_never = std::ranges::any_of(
      parts, [](const SchemaPart& part) { return part.schema->is_bool() && !part.schema->get_bool(); });
  return parts;
}

Expression SchemaCompiler::array(const SchemaConstraints& constraints, const Parts& all) {
  if (!constraints.constrains_arrays()) return writer_.any_array();
  refuse_nested_unevaluated(constraints.array_parts, all, "unevaluatedItems");
  size_t n_prefix = 0;
  for (const SchemaPart& part : constraints.array_parts) n_prefix = std::max(n_prefix, prefix_size(part));
  n_prefix = std::min<size_t>(n_prefix, constraints.max_items);
  const uint32_t min = constraints.min_items, max = constraints.max_items;
  const auto after_comma = [&](Expression item) { return builder_.sequence({writer_.comma(), item}); };
  // From the end: what may follow once so many elements stand.
  bool is_never = false;
  const Parts rest = element(constraints, n_prefix, is_never);
  Expression tail = builder_.empty();
  const uint32_t n = uint32_t(n_prefix);
  const uint32_t rest_min = min > n ? min - n : 0;
  const uint32_t rest_max = max == GrammarBuilder::kUnbounded ? max : max - n;
  if (is_never) {
    tail = rest_min > 0 ? builder_.never() : builder_.empty();
  } else if (rest_max > 0) {
    const Expression item = value_of(rest);
    tail = n > 0 ? builder_.repeat(after_comma(item), rest_min, rest_max)
                 : builder_.sequence(
                       {item, builder_.repeat(after_comma(item), rest_min > 0 ? rest_min - 1 : 0,
                                              rest_max == GrammarBuilder::kUnbounded ? rest_max : rest_max - 1)});
    if (n == 0 && rest_min == 0) tail = builder_.optional(tail);
    if (rest_min > rest_max) tail = builder_.never();
  } else if (rest_min > 0) {
    tail = builder_.never();
  }
  for (uint32_t i = n; i-- > 0;) {
    const Expression item = value_of(element(constraints, i, is_never));
    tail = builder_.sequence({i > 0 ? after_comma(item) : item, tail});
    if (i >= min) tail = builder_.optional(tail);
  }
  return as_rule(all[0], builder_.sequence({builder_.literal("["), tail, builder_.literal("]")}));
}

}  // namespace paro::text
