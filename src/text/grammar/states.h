// The states that a network is in while it reads: sets of places (a node and a stack of frames), each set found once
// and numbered, with the states that follow it by byte filled in as they are asked for. Grows only; its owner starts
// anew.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/grammar/block_store.h"
#include "text/grammar/network.h"

namespace paro::text {

class GrammarStates {
 public:
  using State = uint32_t;
  static constexpr State kDead = 0;

  // What a state promises about the text that follows, as GrammarNetwork::Run without a repeat.
  struct Promise {
    uint32_t classes;
    uint32_t n_chars;
  };

  // Throws Error{request} wherever a new state would exceed max_bytes, or has too many places.
  GrammarStates(const GrammarNetwork& network, int64_t max_bytes);
  void limit(int64_t max_bytes) { max_bytes_ = max_bytes; }

  State start();

  State next(State state, uint8_t byte) {
    const State known = states_[state].next[network_.byte_class[byte]];
    return known != kUnknown ? known : find_next(state, byte);
  }

  State next_by_token(State state, int32_t id);
  State united(State a, State b);

  bool can_end(State state) const { return states_[state].can_end; }
  bool must_end(State state) const { return can_end(state) && states_[state].n_places == 0; }
  std::span<const Promise> promises(State state) const { return {states_[state].promises, states_[state].n_promises}; }

  // Of texts of up to max_chars (kManyChars of the vocabulary stands for more) made of promised classes and the dead
  // ones alone, the promised ones are all that may follow: behind any number of promised characters a dead one ends it,
  // and more characters than promised do. nullopt where what may follow depends on which the characters are.
  std::optional<uint32_t> dead_classes(State state, Promise promise, uint32_t max_chars);

  // One byte of each class that the grammar tells apart.
  template <typename Visit>
  void for_each_byte_class(Visit visit) const {
    for (const uint8_t byte : network_.class_byte) visit(byte);
  }

  template <typename Visit>
  void for_each_token(State state, Visit visit) const {
    for (const Place place : places(state)) {
      for (uint32_t e = network_.nodes[place.node].token_begin; e < network_.nodes[place.node + 1].token_begin; ++e) {
        visit(network_.token_edges[e].id);
      }
    }
  }

  // A state that the same texts of up to n_bytes may follow, and after these again the same: one for all that differ in
  // counts alone which are that far from their bounds. n_bytes is the same in each call.
  State representative(State state, uint32_t n_bytes);

  // The same state of another one's numbering.
  State import(const GrammarStates& other, State state);

  int64_t memory_bytes() const;

 private:
  class CharacterStep;
  struct Place {
    uint32_t node;
    uint32_t frame;  // 0: none
    bool operator==(const Place&) const = default;
    auto operator<=>(const Place&) const = default;
  };
  struct Frame {
    uint32_t node;   // where it returns to
    uint32_t count;  // of a repetition, bodies passed
    uint32_t parent;
    uint32_t depth;
    bool operator==(const Frame&) const = default;
  };
  struct StateEntry {
    uint64_t hash;
    State* next;  // [n_classes]
    const Place* places;
    const Promise* promises;
    uint32_t n_places;
    uint8_t n_promises;
    bool can_end;
  };
  struct VisitSlot {
    Place place{};
    uint32_t round = 0;
  };
  struct FrameHash {
    size_t operator()(const Frame& frame) const;
  };
  static constexpr State kUnknown = UINT32_MAX;

  std::span<const Place> places(State state) const { return {states_[state].places, states_[state].n_places}; }

  State find_next(State state, uint8_t byte);

  // A new set of places: begin, enter each, finish.
  void begin();
  void enter(uint32_t node, uint32_t frame);
  State finish();

  void visit(Place place);
  void follow(Place place);
  bool is_first_visit(Place place);
  void grow_visited();
  void check_room() const;
  uint32_t frame(uint32_t node, uint32_t count, uint32_t parent);  // kNoFrame: nested too deep
  void add_promises(StateEntry& entry);
  uint32_t representative_frame(uint32_t frame, uint32_t n_bytes);
  uint32_t import_frame(const GrammarStates& other, uint32_t frame);

  const GrammarNetwork& network_;
  const size_t n_classes_;
  int64_t max_bytes_;
  std::vector<Frame> frames_;
  std::unordered_map<Frame, uint32_t, FrameHash> frame_numbers_;
  std::vector<StateEntry> states_;
  BlockStore<Place> places_;
  BlockStore<Promise> promises_;
  BlockStore<State> transitions_;
  std::vector<uint32_t> token_classes_;          // [n_classes] of the class's bytes
  std::vector<uint32_t> frame_representatives_;  // kUnknown, or as long as frames_ were when they were last asked for
  std::unordered_multimap<uint64_t, State> numbers_;

  // The set that is being made.
  std::vector<Place> made_, open_;
  bool made_can_end_ = false;
  std::vector<VisitSlot> visited_;
  uint32_t round_ = 0;
  size_t n_visited_ = 0;
};

}  // namespace paro::text
