#include "text/grammar/token_mask.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <string_view>
#include <vector>

#include "text/grammar/token_classes.h"

namespace paro::text {
namespace {

using State = GrammarStates::State;
using Promise = GrammarStates::Promise;
using Content = GrammarVocabulary::Content;
constexpr uint32_t kUnbounded = GrammarVocabulary::kUnbounded;
constexpr size_t kFewPart = 64;  // of a vocabulary: such a part of it is tried sooner one by one than in a walk

bool keeps(Promise promise, uint32_t classes, uint32_t n_chars) {
  if ((classes & ~promise.classes) != 0) return false;
  return promise.n_chars == kUnbounded || (n_chars < GrammarVocabulary::kManyChars && n_chars <= promise.n_chars);
}

// Walks the trie, and leaves out the parts whose tokens are settled.
class TrieWalk {
 public:
  TrieWalk(GrammarStates& states, const GrammarVocabulary& vocabulary, std::span<const Promise> settled,
           std::span<uint32_t> mask)
      : states_(states), vocabulary_(vocabulary), settled_(settled), mask_(mask) {}

  void walk(State root) {
    const auto trie = vocabulary_.trie();
    path_.push_back({root, 0, 0});
    for (uint32_t i = 1; i < trie.size();) {
      const GrammarVocabulary::TrieNode& node = trie[i];
      path_.resize(node.depth);
      const State state = states_.next(path_.back().state, node.byte);
      if (state == GrammarStates::kDead) {
        i = node.subtree_end;
        continue;
      }
      set(vocabulary_.tokens_of(node));
      if (node.subtree_end == i + 1) {
        ++i;
        continue;
      }
      const uint32_t byte_class = node.byte < 0x80 ? TokenClasses::of_ascii(node.byte) : TokenClasses::kNonAscii;
      const bool starts_character = (node.byte & 0xC0) != 0x80;
      path_.push_back({state, path_.back().classes | byte_class, path_.back().n_chars + starts_character});
      i = is_settled(node) ? node.subtree_end : i + 1;
    }
  }

 private:
  struct Step {
    State state;
    uint32_t classes;  // of the path's bytes
    uint32_t n_chars;
  };

  // Whether all tokens below the node, where the path's last step stands, are settled: since the root promised them, or
  // since the state here does.
  bool is_settled(const GrammarVocabulary::TrieNode& node) {
    const Content below = vocabulary_.content_below(node);
    const Step& here = path_.back();
    const uint32_t classes = here.classes | below.classes | (node.ends_character ? 0 : TokenClasses::kBroken);
    const uint32_t n_chars = std::min(here.n_chars + below.n_chars, GrammarVocabulary::kManyChars);
    for (const Promise promise : settled_) {
      if (keeps(promise, classes, n_chars)) return true;
    }
    for (const Promise promise : states_.promises(here.state)) {
      if (!keeps(promise, below.classes, below.n_chars)) continue;
      set(vocabulary_.tokens_below(node));
      return true;
    }
    return false;
  }

  void set(std::span<const int32_t> ids) {
    for (const int32_t id : ids) mask_[size_t(id) / 32] |= 1u << size_t(id) % 32;
  }

  GrammarStates& states_;
  const GrammarVocabulary& vocabulary_;
  std::span<const Promise> settled_;
  std::span<uint32_t> mask_;
  std::vector<Step> path_;  // [depth]
};

bool may_follow(GrammarStates& states, State state, std::string_view bytes) {
  for (const char byte : bytes) {
    state = states.next(state, uint8_t(byte));
    if (state == GrammarStates::kDead) return false;
  }
  return true;
}

void fill_by_bytes(GrammarStates& states, State state, const GrammarVocabulary& vocabulary, std::span<uint32_t> mask) {
  if (states.promises(state).empty()) return TrieWalk(states, vocabulary, {}, mask).walk(state);
  std::vector<Promise> settled;  // whose tokens are in the mask, or known to be dead
  std::vector<uint32_t> open(vocabulary.with_bytes().begin(), vocabulary.with_bytes().end());
  std::vector<uint32_t> closed(mask.size());
  for (const Promise promise : states.promises(state)) {
    vocabulary.accept({promise.classes, promise.n_chars}, mask);
    const std::optional<uint32_t> dead = states.dead_classes(state, promise, vocabulary.max_token_chars());
    settled.push_back(dead ? Promise{promise.classes | *dead, kUnbounded} : promise);
    if (dead) vocabulary.accept({promise.classes | *dead, kUnbounded}, closed);
  }
  size_t n_open = 0;
  for (size_t i = 0; i < open.size(); ++i) n_open += size_t(std::popcount(open[i] &= ~(mask[i] | closed[i])));
  if (n_open > size_t(vocabulary.vocab_size()) / kFewPart)
    return TrieWalk(states, vocabulary, settled, mask).walk(state);
  for (size_t i = 0; i < open.size(); ++i) {
    for (uint32_t bits = open[i]; bits != 0; bits &= bits - 1) {
      const int32_t id = int32_t(i * 32 + size_t(std::countr_zero(bits)));
      if (may_follow(states, state, vocabulary.bytes(id))) mask[i] |= bits & -bits;
    }
  }
}

}  // namespace

void fill_token_mask(GrammarStates& states, State state, const GrammarVocabulary& vocabulary,
                     std::span<uint32_t> mask) {
  fill_by_bytes(states, state, vocabulary, mask);
  const auto set = [&](int32_t id) {
    if (id >= 0 && id < vocabulary.vocab_size()) mask[size_t(id) / 32] |= 1u << size_t(id) % 32;
  };
  states.for_each_token(state, set);
  if (states.can_end(state)) {
    for (const int32_t id : vocabulary.stop_ids()) set(id);
  }
}

State state_after(GrammarStates& states, State state, const GrammarVocabulary& vocabulary, int32_t id) {
  if (id < 0 || id >= vocabulary.vocab_size()) return GrammarStates::kDead;
  State by_bytes = GrammarStates::kDead;
  const std::string_view bytes = vocabulary.bytes(id);
  if (!bytes.empty()) {
    by_bytes = state;
    for (const char byte : bytes) by_bytes = states.next(by_bytes, uint8_t(byte));
  }
  return states.united(by_bytes, states.next_by_token(state, id));
}

}  // namespace paro::text
