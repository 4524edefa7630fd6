#include "engine/expert_slots.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace paro {

ExpertSlots::ExpertSlots(std::span<const int> n_experts, int n_slots, double half_life_tokens)
    : half_life_tokens_(half_life_tokens), first_{0}, n_tokens_(n_experts.size()), expert_in_(size_t(n_slots), -1) {
  PARO_CHECK(n_slots >= 1, "{} slots", n_slots);
  int largest = 0;
  for (const int n : n_experts) {
    first_.push_back(first_.back() + n);
    largest = std::max(largest, n);
  }
  experts_.resize(size_t(first_.back()));
  for (size_t layer = 0; layer < n_experts.size(); ++layer) {
    for (int e = 0; e < n_experts[layer]; ++e) experts_[size_t(number(int(layer), e))].layer = int32_t(layer);
  }
  n_chosen_.resize(size_t(largest));
  wanted_.reserve(size_t(largest));
  guesses_.reserve(size_t(largest));
  stats_.n_experts = first_.back();
  stats_.n_slots = n_slots;
}

void ExpertSlots::count_chosen(int layer, std::span<const int32_t> chosen) {
  std::fill(n_chosen_.begin(), n_chosen_.end(), 0);
  for (const int32_t expert : chosen) {
    PARO_CHECK(expert >= 0 && expert < n_experts(layer), "expert {} of {}", expert, n_experts(layer));
    ++n_chosen_[size_t(expert)];
  }
}

void ExpertSlots::request(int layer, std::span<const int32_t> chosen, int64_t n_rows) {
  // What an earlier step wanted and did not come to hold is wanted no more.
  for (const int32_t number : wanted_) experts_[size_t(number)].is_wanted = false;
  wanted_.clear();
  for (const int32_t number : queue_) experts_[size_t(number)].state = State::absent;
  queue_.clear();

  n_tokens_[size_t(layer)] += n_rows;
  count_chosen(layer, chosen);
  for (int expert = 0; expert < n_experts(layer); ++expert) {
    const int number = this->number(layer, expert);
    Expert& e = experts_[size_t(number)];
    const bool was_guessed = std::exchange(e.is_guessed, false);
    const int n_uses = n_chosen_[size_t(expert)];
    if (n_uses == 0) continue;
    e.heat.add(n_uses, time_half_lives(layer));
    ++stats_.n_requested;
    if (was_guessed) ++stats_.n_guessed_right;
    if (e.state == State::ready && !was_guessed) ++stats_.n_hits;
    e.is_wanted = true;
    wanted_.push_back(number);
    queue(number);
  }
  if (guessed_layer_ == layer) guesses_.clear();
}

void ExpertSlots::expect(int layer, std::span<const int32_t> chosen) {
  count_chosen(layer, chosen);
  guessed_layer_ = layer;
  guesses_.clear();
  // In the order of choice, the last row's first, so that with equal counts the likeliest experts of one row come last.
  for (auto it = chosen.rbegin(); it != chosen.rend(); ++it) {
    int32_t& n = n_chosen_[size_t(*it)];
    if (n < 0) continue;
    n = -n;  // seen
    const int number = this->number(layer, *it);
    if (experts_[size_t(number)].state == State::absent) guesses_.push_back(number);
  }
  std::stable_sort(guesses_.begin(), guesses_.end(), [&](int a, int b) {
    return n_chosen_[size_t(a - first_[size_t(layer)])] > n_chosen_[size_t(b - first_[size_t(layer)])];
  });
  if (guesses_.size() > kMostGuesses) guesses_.erase(guesses_.begin(), guesses_.end() - kMostGuesses);
}

void ExpertSlots::queue(int number) {
  Expert& e = experts_[size_t(number)];
  if (e.state != State::absent && e.state != State::failed) return;
  e.state = State::queued;
  queue_.push_back(number);
}

int ExpertSlots::hold(int layer, std::span<int32_t> experts, int n_most) {
  int n = 0;
  for (int32_t& expert : experts) {
    const int number = this->number(layer, expert);
    Expert& e = experts_[size_t(number)];
    if (e.state == State::absent) queue(number);
    if (n == n_most || e.state != State::ready) continue;
    ++e.n_held;
    e.is_wanted = false;
    std::swap(expert, experts[size_t(n++)]);
  }
  if (n == 0) want_alone(layer, experts);
  return n;
}

// Who waits for these can hold no others: slots that those others keep would never come free.
void ExpertSlots::want_alone(int layer, std::span<const int32_t> experts) {
  for (const int32_t number : wanted_) experts_[size_t(number)].is_wanted = false;
  wanted_.clear();
  for (const int32_t expert : experts) {
    wanted_.push_back(number(layer, expert));
    experts_[size_t(wanted_.back())].is_wanted = true;
  }
}

void ExpertSlots::release(int layer, std::span<const int32_t> experts) {
  for (const int32_t expert : experts) --experts_[size_t(number(layer, expert))].n_held;
}

// A guess takes no slot from another guess.
int ExpertSlots::find_slot(bool for_guess) const {
  int coldest = -1;
  double least = 0;
  for (int slot = 0; slot < n_slots(); ++slot) {
    if (expert_in_[size_t(slot)] < 0) return slot;
    const Expert& e = experts_[size_t(expert_in_[size_t(slot)])];
    if (e.state != State::ready || e.n_held > 0 || e.is_wanted || (for_guess && e.is_guessed)) continue;
    if (const double heat = this->heat(e); coldest < 0 || heat < least) coldest = slot, least = heat;
  }
  return coldest;
}

std::optional<ExpertSlots::Fetch> ExpertSlots::fetch_into(int number, int slot, bool is_guess) {
  if (const int old = expert_in_[size_t(slot)]; old >= 0) {
    experts_[size_t(old)].state = State::absent;
    experts_[size_t(old)].slot = -1;
    experts_[size_t(old)].is_guessed = false;
  }
  Expert& e = experts_[size_t(number)];
  e.state = State::fetching;
  e.is_guessed = is_guess;
  e.slot = slot;
  expert_in_[size_t(slot)] = number;
  ++stats_.n_fetched;
  if (is_guess) ++stats_.n_guessed;
  return Fetch{number, slot};
}

std::optional<ExpertSlots::Fetch> ExpertSlots::begin_wanted() {
  if (queue_.empty()) return {};
  const int slot = find_slot(false);
  if (slot < 0) return {};
  const int number = queue_.front();
  queue_.pop_front();
  return fetch_into(number, slot, false);
}

std::optional<ExpertSlots::Fetch> ExpertSlots::begin_guess() {
  for (; !guesses_.empty(); guesses_.pop_back()) {
    const int number = guesses_.back();
    if (experts_[size_t(number)].state != State::absent) continue;
    const int slot = find_slot(true);
    if (slot < 0) return {};
    guesses_.pop_back();
    return fetch_into(number, slot, true);
  }
  return {};
}

void ExpertSlots::end_fetch(int number, Outcome outcome) {
  Expert& e = experts_[size_t(number)];
  if (outcome == Outcome::ready) {
    e.state = State::ready;
    return;
  }
  // A guess that fails is no failure yet.
  e.state = outcome == Outcome::dropped || e.is_guessed ? State::absent : State::failed;
  e.is_guessed = false;
  expert_in_[size_t(e.slot)] = -1;
  e.slot = -1;
}

}  // namespace paro
