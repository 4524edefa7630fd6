#include "server/grammar_constraint.h"

#include <utility>

#include "text/grammar/grammar_matcher.h"

namespace paro::server {
namespace {

class GrammarConstraint : public TokenConstraint {
 public:
  explicit GrammarConstraint(std::shared_ptr<text::TokenAutomaton> automaton) : matcher_(std::move(automaton)) {}

  std::span<const uint32_t> allowed() override { return matcher_.allowed(); }
  void accept(int32_t id) override { matcher_.accept(id); }

 private:
  text::GrammarMatcher matcher_;
};

}  // namespace

std::shared_ptr<TokenConstraint> make_grammar_constraint(std::shared_ptr<text::TokenAutomaton> automaton) {
  return std::make_shared<GrammarConstraint>(std::move(automaton));
}

}  // namespace paro::server
