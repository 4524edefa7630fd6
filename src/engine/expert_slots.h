// Which experts lie in which slots, what is fetched next and what gives way: the book-keeping of the ExpertStore,
// without threads and files. A slot is taken from the expert with the least heat that nobody holds or waits for.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "engine/expert_heat.h"
#include "engine/memory_report.h"

namespace paro {

class ExpertSlots {
 public:
  // Tokens after which a use counts half: close to the best of LRU to LFU both where some experts stay popular and
  // where others become so (docs/memory.md, bench/expert_policy.cpp).
  static constexpr double kHalfLifeTokens = 64;

  // Experts of a layer that are fetched on a guess: what a disk reads while a layer computes with nothing left to
  // fetch. More of them come true less often, and stand in the way of what is asked for.
  static constexpr int kMostGuesses = 2;

  // n_experts[layer] of each layer; layers without experts have 0.
  ExpertSlots(std::span<const int> n_experts, int n_slots, double half_life_tokens = kHalfLifeTokens);

  int n_slots() const { return int(expert_in_.size()); }
  // Experts are numbered over all layers.
  int number(int layer, int expert) const { return first_[size_t(layer)] + expert; }

  // As of ExpertSource. Choices that are not there are queued, and failed ones are tried again.
  void request(int layer, std::span<const int32_t> chosen, int64_t n_rows);
  void expect(int layer, std::span<const int32_t> chosen);

  // Moves those of `experts` that are there to its front, at most n_most, and holds them; queues the others.
  int hold(int layer, std::span<int32_t> experts, int n_most);
  void release(int layer, std::span<const int32_t> experts);
  int slot_of(int layer, int expert) const { return experts_[size_t(number(layer, expert))].slot; }
  bool failed(int layer, int expert) const { return experts_[size_t(number(layer, expert))].state == State::failed; }

  // An expert that is to be fetched, and its slot. None when nothing is, or when every slot is in use until something
  // is released.
  struct Fetch {
    int number = 0;
    int slot = 0;
  };
  std::optional<Fetch> begin_wanted();
  std::optional<Fetch> begin_guess();
  enum class Outcome : uint8_t { ready, failed, dropped };
  void end_fetch(int number, Outcome outcome);
  // Of one that is on its way: whether somebody asked for it, and whether it is of use at all. A guess that did not
  // come true is not.
  bool is_wanted(int number) const { return experts_[size_t(number)].is_wanted; }
  bool is_useful(int number) const { return is_wanted(number) || experts_[size_t(number)].is_guessed; }
  int n_wanted_to_fetch() const { return int(queue_.size()); }  // if slots allow
  int n_to_fetch() const { return int(queue_.size() + guesses_.size()); }

  const ExpertStats& stats() const { return stats_; }

 private:
  enum class State : uint8_t { absent, queued, fetching, ready, failed };
  struct Expert {
    State state = State::absent;
    bool is_wanted = false;   // by the step under way, which has not held it yet
    bool is_guessed = false;  // fetched on a guess that has not come true yet
    int32_t layer = 0;
    int32_t slot = -1;
    int32_t n_held = 0;
    ExpertHeat heat;
  };

  void queue(int number);
  void want_alone(int layer, std::span<const int32_t> experts);
  int find_slot(bool for_guess) const;
  std::optional<Fetch> fetch_into(int number, int slot, bool is_guess);
  void count_chosen(int layer, std::span<const int32_t> chosen);
  double heat(const Expert& e) const { return e.heat.log_at(time_half_lives(e.layer)); }
  // By the layer's own clock: at any moment of a step some layers have routed its tokens and some have not.
  double time_half_lives(int layer) const { return double(n_tokens_[size_t(layer)]) / half_life_tokens_; }
  int n_experts(int layer) const { return first_[size_t(layer) + 1] - first_[size_t(layer)]; }

  const double half_life_tokens_;
  std::vector<int32_t> first_;      // [n_layers + 1]
  std::vector<int64_t> n_tokens_;   // [n_layers] that have been routed
  std::vector<Expert> experts_;     // of all layers
  std::vector<int32_t> expert_in_;  // [n_slots], -1: none
  std::vector<int32_t> n_chosen_;   // [experts of the largest layer] rows that chose each
  std::vector<int32_t> wanted_;     // by the step under way
  std::deque<int32_t> queue_;       // wanted and absent, in the order of coming
  std::vector<int32_t> guesses_;    // the likeliest last
  int guessed_layer_ = -1;
  ExpertStats stats_;
};

}  // namespace paro
