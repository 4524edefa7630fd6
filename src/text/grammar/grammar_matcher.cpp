#include "text/grammar/grammar_matcher.h"

#include <utility>

#include "base/error.h"

namespace paro::text {

GrammarMatcher::GrammarMatcher(std::shared_ptr<TokenAutomaton> automaton) : automaton_(std::move(automaton)) {
  automaton_->enter(state_);
}

GrammarMatcher::~GrammarMatcher() { automaton_->leave(state_); }

GrammarMatcher::GrammarMatcher(const GrammarMatcher& other) : automaton_(other.automaton_) {
  automaton_->enter_at(state_, other.state_);
}

GrammarMatcher& GrammarMatcher::operator=(const GrammarMatcher& other) {
  if (this == &other) return *this;
  automaton_->leave(state_);
  automaton_ = other.automaton_;
  automaton_->enter_at(state_, other.state_);
  return *this;
}

std::span<const uint32_t> GrammarMatcher::allowed() {
  mask_.resize(automaton_->vocabulary().mask_words());
  automaton_->write_mask(state_, mask_);
  return mask_;
}

void GrammarMatcher::accept(int32_t id) {
  if (!automaton_->accept(state_, id)) {
    throw Error(ErrorKind::request, "grammar: token {} may not follow here; choose one of those allowed", id);
  }
}

bool GrammarMatcher::can_accept(int32_t id) const { return automaton_->can_accept(state_, id); }
bool GrammarMatcher::can_end() const { return automaton_->can_end(state_); }
bool GrammarMatcher::must_end() const { return automaton_->must_end(state_); }
int64_t GrammarMatcher::memory_bytes() const {
  return int64_t(sizeof(GrammarMatcher) + mask_.capacity() * sizeof(uint32_t));
}

}  // namespace paro::text
