#include "text/grammar/token_automaton.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.h"
#include "text/grammar/network.h"
#include "text/grammar/states.h"
#include "text/grammar/token_mask.h"

namespace paro::text {
namespace {

// Of states, when a step has taken all that it may. The masks that are kept beside them, and the states that take the
// place of the old ones, are small.
constexpr int64_t kMaxStateBytes = TokenAutomaton::kStepBytes;

constexpr size_t kMaxPreparedStates = 600, kMaxPreparedMasks = 32;
constexpr int kManyNextBytes = 128;

int n_next_bytes(GrammarStates& states, GrammarStates::State state) {
  int n = 0;
  for (int byte = 0; byte < 256; ++byte) n += states.next(state, uint8_t(byte)) != GrammarStates::kDead;
  return n;
}

}  // namespace

TokenAutomaton::TokenAutomaton(const Grammar& grammar, std::shared_ptr<const GrammarVocabulary> vocabulary)
    : network_(grammar.network()),
      vocabulary_(std::move(vocabulary)),
      states_(std::make_unique<GrammarStates>(*network_, kMaxStateBytes)) {}

TokenAutomaton::~TokenAutomaton() = default;

int64_t TokenAutomaton::network_bytes() const { return network_->memory_bytes(); }

int64_t TokenAutomaton::kept_bytes() const {
  const std::lock_guard lock(mutex_);
  return states_->memory_bytes() + mask_bytes_;
}

void TokenAutomaton::enter(State& place) {
  const std::lock_guard lock(mutex_);
  place = states_->start();
  places_.insert(&place);
}

void TokenAutomaton::enter_at(State& place, const State& other) {
  const std::lock_guard lock(mutex_);
  place = other;
  places_.insert(&place);
}

void TokenAutomaton::leave(State& place) {
  const std::lock_guard lock(mutex_);
  places_.erase(&place);
}

const TokenAutomaton::StoredMask& TokenAutomaton::mask_of(State state) {
  state = states_->representative(state, vocabulary_->max_token_bytes());
  const auto found = masks_.find(state);
  if (found != masks_.end()) return found->second;
  std::vector<uint32_t> words(vocabulary_->mask_words(), 0);
  fill_token_mask(*states_, state, *vocabulary_, words);
  size_t n_allowed = 0;
  for (const uint32_t word : words) n_allowed += size_t(std::popcount(word));
  StoredMask stored{.is_list = n_allowed < words.size(), .is_empty = n_allowed == 0};
  if (stored.is_list) {
    stored.words.reserve(n_allowed);
    for (size_t i = 0; i < words.size(); ++i) {
      for (uint32_t bits = words[i]; bits != 0; bits &= bits - 1) {
        stored.words.push_back(uint32_t(i * 32 + size_t(std::countr_zero(bits))));
      }
    }
  } else {
    stored.words = std::move(words);
  }
  mask_bytes_ += int64_t(sizeof(StoredMask) + 64 + stored.words.capacity() * sizeof(uint32_t));
  return masks_.emplace(state, std::move(stored)).first->second;
}

void TokenAutomaton::prepare() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(is_prepared_, true)) return;
  // What is too large to be read ahead may still not be met, and says so when it is. The step that is planned for is
  // another thread's.
  states_->limit(kKeptBytes);
  try {
    read_ahead();
  } catch (const Error&) {
  }
  states_->limit(kMaxStateBytes);
}

void TokenAutomaton::read_ahead() {
  const uint32_t n_bytes = vocabulary_->max_token_bytes();
  std::vector<State> found;
  std::unordered_set<State> known{GrammarStates::kDead};
  const auto meet = [&](State state) {
    const State representative = states_->representative(state, n_bytes);
    if (known.insert(representative).second) found.push_back(representative);
  };
  meet(states_->start());
  for (size_t i = 0; i < found.size() && i < kMaxPreparedStates; ++i) {
    if (masks_.size() >= kMaxPreparedMasks || states_->memory_bytes() + mask_bytes_ > kKeptBytes / 4 * 3) return;
    const State state = found[i];
    if (!states_->promises(state).empty() || n_next_bytes(*states_, state) >= kManyNextBytes) mask_of(state);
    states_->for_each_byte_class([&](uint8_t byte) { meet(states_->next(state, byte)); });
    std::vector<int32_t> ids;
    states_->for_each_token(state, [&](int32_t id) { ids.push_back(id); });
    for (const int32_t id : ids) meet(states_->next_by_token(state, id));
  }
}

void TokenAutomaton::write_mask(const State& place, std::span<uint32_t> mask) {
  const std::lock_guard lock(mutex_);
  const StoredMask& stored = mask_of(place);
  if (stored.is_empty) {
    throw Error(ErrorKind::request,
                "grammar: no token of the vocabulary may follow here: the text cannot be completed; give the grammar "
                "another way to go on");
  }
  if (stored.is_list) {
    std::ranges::fill(mask, 0u);
    for (const uint32_t id : stored.words) mask[id / 32] |= 1u << id % 32;
  } else {
    std::ranges::copy(stored.words, mask.begin());
  }
}

bool TokenAutomaton::accept(State& place, int32_t id) {
  const std::lock_guard lock(mutex_);
  const State after = state_after(*states_, place, *vocabulary_, id);
  if (after == GrammarStates::kDead) {
    return states_->can_end(place) && std::ranges::find(vocabulary_->stop_ids(), id) != vocabulary_->stop_ids().end();
  }
  place = after;
  start_anew_if_large();
  return true;
}

bool TokenAutomaton::can_accept(const State& place, int32_t id) {
  const std::lock_guard lock(mutex_);
  if (state_after(*states_, place, *vocabulary_, id) != GrammarStates::kDead) return true;
  return states_->can_end(place) && std::ranges::find(vocabulary_->stop_ids(), id) != vocabulary_->stop_ids().end();
}

bool TokenAutomaton::can_end(const State& place) const {
  const std::lock_guard lock(mutex_);
  return states_->can_end(place);
}

bool TokenAutomaton::must_end(const State& place) const {
  const std::lock_guard lock(mutex_);
  return states_->must_end(place);
}

void TokenAutomaton::start_anew_if_large() {
  if (states_->memory_bytes() + mask_bytes_ <= kKeptBytes) return;
  auto fresh = std::make_unique<GrammarStates>(*network_, kMaxStateBytes);
  std::vector<std::pair<State*, State>> moved;
  for (State* place : places_) moved.emplace_back(place, fresh->import(*states_, *place));
  for (const auto& [place, state] : moved) *place = state;
  states_ = std::move(fresh);
  masks_.clear();
  mask_bytes_ = 0;
}

}  // namespace paro::text
