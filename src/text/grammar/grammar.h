// A language over bytes and single tokens, which holds a model's answer: what may follow is a pushdown automaton
// (network.h). Written as GBNF, a regular expression, a JSON schema, a list of choices, or with a GrammarBuilder.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace paro::text {

struct GrammarNetwork;
struct GrammarTree;

// How values are written down.
struct SchemaNotation {
  // Without: JSON. With: strings stand as they are between two of this token, keys are bare, as in a call of Gemma 4.
  std::optional<int32_t> string_quote_token;
};

struct JsonSchemaOptions {
  // A keyword that constrains and is not supported is an Error; without, it is ignored.
  bool strict = true;
  // Whether an object whose schema has properties, and says nothing of others, may have others: by the letter of JSON
  // schema it may, but a model is then free to make some up.
  bool open_objects = false;
  SchemaNotation notation;
};

// Immutable. Every maker throws Error{request} that names the place (line
// and column, position, JSON pointer) and what is wrong or not supported there.
class Grammar {
 public:
  // The notation of llama.cpp; `token_id` gives the id of a token written as <name>, and without it such a token can be
  // written as <[id]> alone.
  using TokenLookup = std::function<std::optional<int32_t>(std::string_view)>;
  static Grammar from_gbnf(std::string_view text, const TokenLookup& token_id = {});

  // The expressions of ECMAScript that are regular: the whole text must match, anchors or not.
  static Grammar from_regex(std::string_view pattern);
  static Grammar from_json_schema(const boost::json::value& schema, const JsonSchemaOptions& options = {});
  static Grammar json_object();  // any JSON object
  static Grammar from_choice(std::span<const std::string> choices);

  ~Grammar();
  Grammar(Grammar&&) noexcept;
  Grammar& operator=(Grammar&&) noexcept;

  // What runs, shared with what runs it: it needs nothing else of the grammar.
  const std::shared_ptr<const GrammarNetwork>& network() const { return network_; }

 private:
  friend class GrammarBuilder;
  explicit Grammar(std::unique_ptr<GrammarTree> tree);
  std::unique_ptr<const GrammarTree> tree_;  // what another grammar embeds
  std::shared_ptr<const GrammarNetwork> network_;
};

}  // namespace paro::text
