#include "text/grammar/states.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/error.h"
#include "text/grammar/grammar_vocabulary.h"
#include "text/grammar/token_classes.h"

namespace paro::text {
namespace {

using Kind = GrammarNetwork::Kind;
constexpr uint32_t kNoFrame = UINT32_MAX;
constexpr uint32_t kMaxDepth = 512;  // of frames: what is nested deeper cannot be opened
constexpr size_t kMaxPlaces = 8192;  // of one state
constexpr size_t kMaxPromises = 4;   // of one state, the widest

uint64_t mixed(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 29;
}

}  // namespace

size_t GrammarStates::FrameHash::operator()(const Frame& frame) const {
  return mixed(mixed(uint64_t(frame.node) << 32 | frame.count, frame.parent), 1);
}

GrammarStates::GrammarStates(const GrammarNetwork& network, int64_t max_bytes)
    : network_(network), n_classes_(network.class_byte.size()), max_bytes_(max_bytes) {
  frames_.push_back({});
  visited_.resize(256);
  token_classes_.resize(n_classes_);
  for (int byte = 0; byte < 256; ++byte) {
    token_classes_[network.byte_class[size_t(byte)]] |=
        byte < 0x80 ? TokenClasses::of_ascii(uint8_t(byte)) : TokenClasses::kNonAscii | TokenClasses::kBroken;
  }
  begin();
  finish();  // nothing may follow: kDead
}

GrammarStates::State GrammarStates::start() {
  begin();
  enter(network_.start, 0);
  return finish();
}

GrammarStates::State GrammarStates::find_next(State state, uint8_t byte) {
  begin();
  for (size_t i = 0; i < states_[state].n_places; ++i) {
    const Place place = places(state)[i];
    for (uint32_t e = network_.nodes[place.node].byte_begin; e < network_.nodes[place.node + 1].byte_begin; ++e) {
      const GrammarNetwork::ByteEdge& edge = network_.byte_edges[e];
      if (edge.low <= byte && byte <= edge.high) enter(edge.target, place.frame);
    }
  }
  const State found = finish();
  return states_[state].next[network_.byte_class[byte]] = found;
}

// What one character of some classes leads to.
class GrammarStates::CharacterStep {
 public:
  CharacterStep(GrammarStates& states, uint32_t classes) : states_(states) {
    const auto list = [&](std::vector<uint8_t>& bytes, int low, int high) {
      for (int byte = low; byte <= high; ++byte) {
        const bool is_asked = byte >= 0x80 || (classes & TokenClasses::of_ascii(uint8_t(byte))) != 0;
        const auto is_alike = [&](uint8_t other) {
          return states.network_.byte_class[other] == states.network_.byte_class[size_t(byte)];
        };
        if (is_asked && std::ranges::none_of(bytes, is_alike)) bytes.push_back(uint8_t(byte));
      }
    };
    list(leads_[0], 0, 0x7F);
    if ((classes & TokenClasses::kNonAscii) == 0) return;
    list(leads_[1], 0xC2, 0xDF);
    list(leads_[2], 0xE0, 0xEF);
    list(leads_[3], 0xF0, 0xF4);
    list(continuations_, 0x80, 0xBF);
  }

  // The state that each of them leads to, kDead where none may follow, nullopt where they differ.
  std::optional<State> next(State state) {
    found_.reset();
    for (int n_after = 0; n_after < 4; ++n_after) {
      for (const uint8_t byte : leads_[size_t(n_after)]) {
        const State after = states_.next(state, byte);
        // A first byte that may not follow says as much as a whole character that may not.
        if (!(after == kDead ? agrees(kDead) : leads_on(after, n_after))) return std::nullopt;
      }
    }
    return found_.value_or(kDead);
  }

 private:
  bool agrees(State state) {
    if (!found_) found_ = state;
    return *found_ == state;
  }

  bool leads_on(State state, int n_bytes) {
    if (n_bytes == 0) return agrees(state);
    for (const uint8_t byte : continuations_) {
      const State after = states_.next(state, byte);  // dead for what is no character
      if (after != kDead && !leads_on(after, n_bytes - 1)) return false;
    }
    return true;
  }

  GrammarStates& states_;
  std::array<std::vector<uint8_t>, 4> leads_;  // [bytes that come after], one of each class
  std::vector<uint8_t> continuations_;
  std::optional<State> found_;
};

std::optional<uint32_t> GrammarStates::dead_classes(State state, Promise promise, uint32_t max_chars) {
  if ((promise.classes & TokenClasses::kBroken) != 0) return std::nullopt;
  CharacterStep step(*this, promise.classes);
  uint32_t dead = ~promise.classes;
  for (uint32_t i = 0; i <= max_chars; ++i) {
    for (size_t c = 0; c < n_classes_; ++c) {
      if (next(state, network_.class_byte[c]) != kDead) dead &= ~token_classes_[c];
    }
    if (i == max_chars) break;
    const std::optional<State> after = step.next(state);
    if (!after) return std::nullopt;
    if (*after == kDead) return i == promise.n_chars ? std::optional<uint32_t>(dead) : std::nullopt;
    // Without end; where the promise has one, more is alive.
    if (*after == state)
      return promise.n_chars == GrammarNetwork::kUnbounded ? std::optional<uint32_t>(dead) : std::nullopt;
    state = *after;
  }
  const bool is_whole = max_chars < GrammarVocabulary::kManyChars && promise.n_chars >= max_chars;
  return is_whole ? std::optional<uint32_t>(dead) : std::nullopt;
}

GrammarStates::State GrammarStates::next_by_token(State state, int32_t id) {
  begin();
  for (size_t i = 0; i < states_[state].n_places; ++i) {
    const Place place = places(state)[i];
    for (uint32_t e = network_.nodes[place.node].token_begin; e < network_.nodes[place.node + 1].token_begin; ++e) {
      if (network_.token_edges[e].id == id) enter(network_.token_edges[e].target, place.frame);
    }
  }
  return finish();
}

GrammarStates::State GrammarStates::united(State a, State b) {
  if (a == kDead || a == b) return b;
  if (b == kDead) return a;
  begin();
  for (const State state : {a, b}) {
    made_.insert(made_.end(), places(state).begin(), places(state).end());
    made_can_end_ |= can_end(state);
  }
  return finish();
}

void GrammarStates::begin() {
  made_.clear();
  open_.clear();
  made_can_end_ = false;
  n_visited_ = 0;
  if (++round_ == 0) {
    std::fill(visited_.begin(), visited_.end(), VisitSlot{});
    round_ = 1;
  }
}

void GrammarStates::enter(uint32_t node, uint32_t frame) {
  visit({node, frame});
  while (!open_.empty()) {
    const Place place = open_.back();
    open_.pop_back();
    follow(place);
  }
}

void GrammarStates::visit(Place place) {
  if (is_first_visit(place)) open_.push_back(place);
}

bool GrammarStates::is_first_visit(Place place) {
  if (n_visited_ * 2 >= visited_.size()) grow_visited();
  const size_t mask = visited_.size() - 1;
  for (size_t at = mixed(place.frame, place.node) & mask;; at = (at + 1) & mask) {
    VisitSlot& slot = visited_[at];
    if (slot.round != round_) {
      slot = {place, round_};
      ++n_visited_;
      return true;
    }
    if (slot.place == place) return false;
  }
}

void GrammarStates::check_room() const {
  if (memory_bytes() <= max_bytes_) return;
  throw Error(ErrorKind::request,
              "grammar: what may follow needs more than {} MiB of states; make the grammar less ambiguous",
              max_bytes_ >> 20);
}

void GrammarStates::grow_visited() {
  check_room();
  std::vector<VisitSlot> old(visited_.size() * 2);
  old.swap(visited_);
  const size_t mask = visited_.size() - 1;
  for (const VisitSlot& slot : old) {
    if (slot.round != round_) continue;
    size_t at = mixed(slot.place.frame, slot.place.node) & mask;
    while (visited_[at].round == round_) at = (at + 1) & mask;
    visited_[at] = slot;
  }
}

void GrammarStates::follow(Place place) {
  const GrammarNetwork::Node& node = network_.nodes[place.node];
  switch (node.kind) {
    case Kind::plain: {
      const GrammarNetwork::Node& beyond = network_.nodes[place.node + 1];
      for (uint32_t e = node.empty_begin; e < beyond.empty_begin; ++e) visit({network_.empty_edges[e], place.frame});
      if (node.byte_begin == beyond.byte_begin && node.token_begin == beyond.token_begin) return;
      made_.push_back(place);
      if (made_.size() > kMaxPlaces) {
        throw Error(ErrorKind::request,
                    "grammar: more than {} ways to read the text up to here; make the grammar less ambiguous",
                    kMaxPlaces);
      }
      return;
    }
    case Kind::call: {
      const bool returns_at_once = network_.nodes[node.back].is_return;
      const uint32_t inner = returns_at_once ? place.frame : frame(node.back, 0, place.frame);
      if (inner != kNoFrame) visit({node.target, inner});
      return;
    }
    case Kind::end: {
      if (place.frame == 0) {
        made_can_end_ = true;
        return;
      }
      const Frame& top = frames_[place.frame];
      // The count is still needed where a repetition's body has been passed: its frame goes along.
      const bool is_counted = network_.nodes[top.node].kind == Kind::repeat_passed;
      return visit({top.node, is_counted ? place.frame : top.parent});
    }
    case Kind::enter_repeat: {
      const GrammarNetwork::Repeat& repeat = network_.repeats[node.target];
      if (repeat.min == 0) visit({repeat.next, place.frame});
      if (repeat.body == kNoFrame) return;
      const uint32_t inner = frame(repeat.passed, 0, place.frame);
      if (inner != kNoFrame) visit({repeat.body, inner});
      return;
    }
    case Kind::repeat_passed: {
      const GrammarNetwork::Repeat& repeat = network_.repeats[node.target];
      const Frame top = frames_[place.frame];
      const bool is_bounded = repeat.max != GrammarNetwork::kUnbounded;
      const uint32_t count = is_bounded ? top.count + 1 : std::min(top.count + 1, repeat.min);
      if (count >= repeat.min) visit({repeat.next, top.parent});
      if (is_bounded && count >= repeat.max) return;
      visit({repeat.body, frame(repeat.passed, count, top.parent)});
      return;
    }
  }
}

uint32_t GrammarStates::frame(uint32_t node, uint32_t count, uint32_t parent) {
  const uint32_t depth = frames_[parent].depth + 1;
  if (depth > kMaxDepth) return kNoFrame;
  const Frame made{node, count, parent, depth};
  const auto [found, is_new] = frame_numbers_.try_emplace(made, uint32_t(frames_.size()));
  if (is_new) frames_.push_back(made);
  return found->second;
}

GrammarStates::State GrammarStates::finish() {
  std::sort(made_.begin(), made_.end());
  made_.erase(std::unique(made_.begin(), made_.end()), made_.end());
  uint64_t hash = made_can_end_;
  for (const Place place : made_) hash = mixed(hash, uint64_t(place.node) << 32 | place.frame);
  for (auto [it, last] = numbers_.equal_range(hash); it != last; ++it) {
    if (can_end(it->second) == made_can_end_ && std::ranges::equal(places(it->second), made_)) return it->second;
  }
  check_room();
  StateEntry entry{.hash = hash,
                   .next = transitions_.add(n_classes_),
                   .places = nullptr,
                   .promises = nullptr,
                   .n_places = uint32_t(made_.size()),
                   .n_promises = 0,
                   .can_end = made_can_end_};
  std::fill_n(entry.next, n_classes_, made_.empty() ? kDead : kUnknown);
  Place* const places_of_state = places_.add(made_.size());
  std::ranges::copy(made_, places_of_state);
  entry.places = places_of_state;
  add_promises(entry);
  const State number = State(states_.size());
  states_.push_back(entry);
  numbers_.emplace(hash, number);
  return number;
}

void GrammarStates::add_promises(StateEntry& entry) {
  std::vector<Promise> found;
  for (const Place place : made_) {
    const uint32_t run_number = network_.nodes[place.node].run;
    if (run_number == GrammarNetwork::kNoRun) continue;
    const GrammarNetwork::Run& run = network_.runs[run_number];
    Promise promise{run.classes, run.n_chars};
    if (run.repeat != GrammarNetwork::kNoRun) promise.n_chars -= frames_[place.frame].count;
    const auto covers = [&](const Promise& other) {
      return (promise.classes & ~other.classes) == 0 && promise.n_chars <= other.n_chars;
    };
    if (std::ranges::none_of(found, covers)) found.push_back(promise);
  }
  std::ranges::stable_sort(
      found, [](const Promise& a, const Promise& b) { return std::popcount(a.classes) > std::popcount(b.classes); });
  if (found.size() > kMaxPromises) found.resize(kMaxPromises);
  Promise* const promises = promises_.add(found.size());
  std::ranges::copy(found, promises);
  entry.promises = promises;
  entry.n_promises = uint8_t(found.size());
}

// Counts matter near their bounds only: where fewer bodies than a text can pass are missing to one of them.
uint32_t GrammarStates::representative_frame(uint32_t number, uint32_t n_bytes) {
  if (number == 0) return 0;
  if (frame_representatives_.size() < frames_.size()) frame_representatives_.resize(frames_.size(), kUnknown);
  if (frame_representatives_[number] != kUnknown) return frame_representatives_[number];
  const Frame own = frames_[number];
  uint32_t count = own.count;
  const GrammarNetwork::Node& node = network_.nodes[own.node];
  if (node.kind == Kind::repeat_passed) {
    const GrammarNetwork::Repeat& repeat = network_.repeats[node.target];
    const bool is_far_below_max = repeat.max == GrammarNetwork::kUnbounded || repeat.max - count > n_bytes;
    if (count >= repeat.min) {
      if (is_far_below_max) count = repeat.min;
    } else if (repeat.min - count > n_bytes && is_far_below_max) {
      count = 0;
    }
  }
  const uint32_t parent = representative_frame(own.parent, n_bytes);
  const uint32_t found = frame(own.node, count, parent);
  if (frame_representatives_.size() < frames_.size()) frame_representatives_.resize(frames_.size(), kUnknown);
  return frame_representatives_[number] = found;
}

GrammarStates::State GrammarStates::representative(State state, uint32_t n_bytes) {
  begin();
  made_can_end_ = can_end(state);
  for (const Place place : places(state)) made_.push_back({place.node, representative_frame(place.frame, n_bytes)});
  return finish();
}

uint32_t GrammarStates::import_frame(const GrammarStates& other, uint32_t number) {
  std::vector<Frame> chain;
  for (; number != 0; number = other.frames_[number].parent) chain.push_back(other.frames_[number]);
  uint32_t own = 0;
  for (size_t i = chain.size(); i-- > 0;) own = frame(chain[i].node, chain[i].count, own);
  return own;
}

GrammarStates::State GrammarStates::import(const GrammarStates& other, State state) {
  begin();
  made_can_end_ = other.can_end(state);
  for (const Place place : other.places(state)) made_.push_back({place.node, import_frame(other, place.frame)});
  return finish();
}

int64_t GrammarStates::memory_bytes() const {
  // A hash table's entry costs its node and about one bucket.
  constexpr size_t kFrameNode = sizeof(Frame) + 32, kStateNode = 48;
  return int64_t(frames_.capacity() * sizeof(Frame) + frame_numbers_.size() * kFrameNode +
                 frame_representatives_.capacity() * sizeof(uint32_t) + states_.capacity() * sizeof(StateEntry) +
                 numbers_.size() * kStateNode + visited_.capacity() * sizeof(VisitSlot)) +
         places_.memory_bytes() + promises_.memory_bytes() + transitions_.memory_bytes();
}

}  // namespace paro::text
