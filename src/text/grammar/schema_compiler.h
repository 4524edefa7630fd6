// Turns a JSON schema into expressions: schemas that must hold at once are brought together, and what they leave is
// written out type by type.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "text/grammar/grammar_builder.h"
#include "text/grammar/schema_constraints.h"
#include "text/grammar/schema_source.h"
#include "text/grammar/value_writer.h"

namespace paro::text {

class SchemaCompiler {
 public:
  using Expression = GrammarBuilder::Expression;

  SchemaCompiler(GrammarBuilder& builder, const boost::json::value& root, const JsonSchemaOptions& options)
      : builder_(builder), writer_(builder, options.notation), source_(root), options_(options) {}

  Expression compile() { return value_of({source_.root()}); }

 private:
  using Parts = std::vector<SchemaPart>;

  // Schemas that must hold at once, apart: those without $ref and allOf, and the choices of anyOf and oneOf.
  struct Conjunction {
    Parts plain;
    std::vector<Parts> choices;
    bool is_never = false;
  };
  struct Known {
    std::optional<GrammarBuilder::Rule> rule;
    std::optional<Expression> expression;
  };
  // Which further members an object may have: names of a set, and what their values must satisfy.
  struct FurtherMembers {
    Expression name;
    Parts value;
  };

  Expression value_of(Parts parts);
  Expression conjunction(const Conjunction& all);
  void take_apart(const SchemaPart& part, Conjunction& out);
  Expression constrained(const Parts& parts);
  Expression as_rule(const SchemaPart& part, Expression expression);
  TextSet strings_of(const Parts& parts);

  Expression number(const SchemaConstraints& constraints, const SchemaPart& where);
  Expression string(const SchemaConstraints& constraints, const SchemaPart& where);

  Expression array(const SchemaConstraints& constraints, const Parts& all);
  Parts element(const SchemaConstraints& constraints, size_t index, bool& is_never);

  Expression object(const SchemaConstraints& constraints, const Parts& all);
  Parts member(const SchemaConstraints& constraints, const std::string& name);
  std::vector<FurtherMembers> further_members(const SchemaConstraints& constraints, const Parts& all,
                                              const std::vector<std::string>& names);
  const TextSet& matching(const SchemaPart& part, const std::string& pattern);
  void refuse_nested_unevaluated(const Parts& parts, const Parts& all, std::string_view keyword);

  GrammarBuilder& builder_;
  ValueWriter writer_;
  SchemaSource source_;
  const JsonSchemaOptions& options_;
  std::map<std::vector<const boost::json::value*>, Known> known_;
  std::map<std::string, TextSet> patterns_;
  int depth_ = 0;
  size_t n_conjunctions_ = 0;
};

}  // namespace paro::text
