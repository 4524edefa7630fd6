#include "text/grammar/grammar.h"

#include <utility>

#include "text/grammar/grammar_builder.h"
#include "text/grammar/network.h"
#include "text/grammar/tree.h"

namespace paro::text {

Grammar::Grammar(std::unique_ptr<GrammarTree> tree)
    : tree_(std::move(tree)), network_(std::make_shared<const GrammarNetwork>(compile_network(*tree_))) {}

Grammar::~Grammar() = default;
Grammar::Grammar(Grammar&&) noexcept = default;
Grammar& Grammar::operator=(Grammar&&) noexcept = default;

Grammar Grammar::from_choice(std::span<const std::string> choices) {
  GrammarBuilder builder;
  return builder.build(builder.choice(choices));
}

}  // namespace paro::text
