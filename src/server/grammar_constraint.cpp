#include "server/grammar_constraint.h"

#include <optional>
#include <utility>

#include "text/grammar/grammar_matcher.h"

namespace paro::server {
namespace {

class GrammarConstraint : public TokenConstraint {
 public:
  explicit GrammarConstraint(std::shared_ptr<text::TokenAutomaton> automaton) : automaton_(std::move(automaton)) {}

  std::span<const uint32_t> allowed() override { return matcher().allowed(); }
  void accept(int32_t id) override { matcher().accept(id); }

 private:
  // Made when the sequence begins: those that wait in the queue need none.
  text::GrammarMatcher& matcher() {
    if (!matcher_) matcher_.emplace(automaton_);
    return *matcher_;
  }

  const std::shared_ptr<text::TokenAutomaton> automaton_;  // shared with others that are held to the same grammar
  std::optional<text::GrammarMatcher> matcher_;
};

}  // namespace

std::shared_ptr<TokenConstraint> make_grammar_constraint(std::shared_ptr<text::TokenAutomaton> automaton) {
  return std::make_shared<GrammarConstraint>(std::move(automaton));
}

}  // namespace paro::server
