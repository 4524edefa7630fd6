#include "text/grammar/network.h"

#include <algorithm>
#include <bitset>
#include <utility>

#include "base/error.h"
#include "text/grammar/network_draft.h"
#include "text/grammar/tree.h"

namespace paro::text {
namespace {

using Kind = GrammarNetwork::Kind;
constexpr uint32_t kNone = UINT32_MAX;

// From which nodes the end of their rule can be reached: the others lead nowhere, and no text may stray there.
class Productive {
 public:
  explicit Productive(const NetworkDraft& draft) : draft_(draft), is_productive_(draft.nodes.size()) {
    const size_t n_nodes = draft.nodes.size();
    waiting_.resize(n_nodes);
    for (uint32_t i = 0; i < n_nodes; ++i) {
      for (const uint32_t other : successors(i)) waiting_[other].push_back(i);
    }
    std::vector<uint32_t> open;
    for (uint32_t i = 0; i < n_nodes; ++i) {
      if (draft.nodes[i].kind == Kind::end) open.push_back(i);
    }
    for (const uint32_t i : open) is_productive_[i] = true;
    while (!open.empty()) {
      const uint32_t reached = open.back();
      open.pop_back();
      for (const uint32_t i : waiting_[reached]) {
        if (is_productive_[i] || !holds(i)) continue;
        is_productive_[i] = true;
        open.push_back(i);
      }
    }
  }

  bool operator[](uint32_t node) const { return is_productive_[node]; }

 private:
  std::vector<uint32_t> successors(uint32_t i) const {
    const NetworkDraft::Node& node = draft_.nodes[i];
    switch (node.kind) {
      case Kind::call:
        return {draft_.rules[node.target].start, node.back};
      case Kind::enter_repeat:
        return {draft_.repeats[node.target].body, draft_.repeats[node.target].next};
      case Kind::repeat_passed:
        return {draft_.repeats[node.target].next};
      case Kind::end:
        return {};
      case Kind::plain:
        break;
    }
    std::vector<uint32_t> out = node.empties;
    for (const auto& edge : node.bytes) out.push_back(edge.target);
    for (const auto& edge : node.tokens) out.push_back(edge.target);
    return out;
  }

  bool holds(uint32_t i) const {
    const NetworkDraft::Node& node = draft_.nodes[i];
    if (node.kind == Kind::call) return is_productive_[draft_.rules[node.target].start] && is_productive_[node.back];
    if (node.kind != Kind::enter_repeat) return true;
    const GrammarNetwork::Repeat& repeat = draft_.repeats[node.target];
    return is_productive_[repeat.next] && (repeat.min == 0 || is_productive_[repeat.body]);
  }

  const NetworkDraft& draft_;
  std::vector<char> is_productive_;
  std::vector<std::vector<uint32_t>> waiting_;
};

// Which rules and repeated parts can be passed without a byte, and whether a rule meets itself before the first one.
class EmptyMoves {
 public:
  explicit EmptyMoves(const NetworkDraft& draft) : draft_(draft), passes_(draft.nodes.size()) {
    // Each round finds at least one more node that the end is reached from, or is the last.
    std::vector<std::vector<uint32_t>> sources(draft.nodes.size());
    std::vector<uint32_t> open;
    for (uint32_t i = 0; i < draft.nodes.size(); ++i) {
      const NetworkDraft::Node& node = draft.nodes[i];
      for (const uint32_t to : node.empties) sources[to].push_back(i);
      if (node.kind == Kind::call) {
        sources[draft.rules[node.target].start].push_back(i);
        sources[node.back].push_back(i);
      } else if (node.kind == Kind::enter_repeat) {
        sources[draft.repeats[node.target].body].push_back(i);
        sources[draft.repeats[node.target].next].push_back(i);
      } else if (node.kind == Kind::end) {
        passes_[i] = true;
        open.push_back(i);
      }
    }
    while (!open.empty()) {
      const uint32_t reached = open.back();
      open.pop_back();
      for (const uint32_t i : sources[reached]) {
        if (passes_[i] || !holds(i)) continue;
        passes_[i] = true;
        open.push_back(i);
      }
    }
  }

  // Whether the end of its rule is reached from the node without a byte.
  bool passes(uint32_t node) const { return passes_[node]; }

  // Nodes that follow without a byte, calls and repetitions entered or passed.
  std::vector<uint32_t> after(uint32_t i) const {
    const NetworkDraft::Node& node = draft_.nodes[i];
    std::vector<uint32_t> out = node.empties;
    if (node.kind == Kind::call) {
      out.push_back(draft_.rules[node.target].start);
      if (passes_[draft_.rules[node.target].start]) out.push_back(node.back);
    } else if (node.kind == Kind::enter_repeat) {
      const GrammarNetwork::Repeat& repeat = draft_.repeats[node.target];
      out.push_back(repeat.body);
      if (repeat.min == 0 || passes_[repeat.body]) out.push_back(repeat.next);
    }
    return out;
  }

 private:
  bool holds(uint32_t i) const {
    const NetworkDraft::Node& node = draft_.nodes[i];
    if (node.kind == Kind::call) return passes_[draft_.rules[node.target].start] && passes_[node.back];
    if (node.kind != Kind::enter_repeat) return true;
    const GrammarNetwork::Repeat& repeat = draft_.repeats[node.target];
    return passes_[repeat.next] && (repeat.min == 0 || passes_[repeat.body]);
  }

  const NetworkDraft& draft_;
  std::vector<char> passes_;
};

// The stack of a rule that begins with itself would grow without a byte read.
void refuse_left_recursion(const NetworkDraft& draft, const GrammarTree& tree, const EmptyMoves& moves) {
  std::vector<uint32_t> seen(draft.nodes.size(), kNone);
  std::vector<std::vector<uint32_t>> begins_with(draft.rules.size());
  for (uint32_t rule = 0; rule < draft.rules.size(); ++rule) {
    std::vector<uint32_t> open{draft.rules[rule].start};
    seen[open[0]] = rule;
    while (!open.empty()) {
      const uint32_t node = open.back();
      open.pop_back();
      if (draft.nodes[node].kind == Kind::call) begins_with[rule].push_back(draft.nodes[node].target);
      for (const uint32_t next : moves.after(node)) {
        // What a called rule begins with is that rule's own to tell.
        if (draft.nodes[node].kind == Kind::call && next == draft.rules[draft.nodes[node].target].start) continue;
        if (seen[next] == rule) continue;
        seen[next] = rule;
        open.push_back(next);
      }
    }
  }
  enum class Mark : uint8_t { fresh, open, closed };
  std::vector<Mark> marks(draft.rules.size(), Mark::fresh);
  for (uint32_t root = 0; root < draft.rules.size(); ++root) {
    if (marks[root] != Mark::fresh) continue;
    std::vector<std::pair<uint32_t, size_t>> path{{root, 0}};
    marks[root] = Mark::open;
    while (!path.empty()) {
      auto& [rule, next] = path.back();
      if (next == begins_with[rule].size()) {
        marks[rule] = Mark::closed;
        path.pop_back();
        continue;
      }
      const uint32_t callee = begins_with[rule][next++];
      if (marks[callee] == Mark::open) {
        throw Error(ErrorKind::request,
                    "grammar: rule '{}' can begin with itself (left recursion); write it as a repetition",
                    tree.rules[callee].name);
      }
      if (marks[callee] == Mark::fresh) {
        marks[callee] = Mark::open;
        path.push_back({callee, 0});
      }
    }
  }
}

// A counted part that may be empty is passed any number of times at once.
void refuse_empty_counts(const NetworkDraft& draft, const EmptyMoves& moves) {
  constexpr uint32_t kMaxCount = 256;
  for (const GrammarNetwork::Repeat& repeat : draft.repeats) {
    const uint32_t n = repeat.max == GrammarNetwork::kUnbounded ? repeat.min : repeat.max;
    if (n > kMaxCount && moves.passes(repeat.body)) {
      throw Error(ErrorKind::request,
                  "grammar: a part that may be empty is repeated {} times, expected at most {}; let it not be empty", n,
                  kMaxCount);
    }
  }
}

void find_byte_classes(GrammarNetwork& network) {
  std::bitset<257> starts;
  starts[0] = true;
  for (const GrammarNetwork::ByteEdge& edge : network.byte_edges) {
    starts[edge.low] = true;
    starts[size_t(edge.high) + 1] = true;
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    if (starts[byte]) network.class_byte.push_back(uint8_t(byte));
    network.byte_class[byte] = uint8_t(network.class_byte.size() - 1);
  }
}

GrammarNetwork flatten(NetworkDraft draft, const Productive& is_productive) {
  GrammarNetwork network;
  std::vector<uint32_t> number(draft.nodes.size(), kNone);
  for (uint32_t i = 0; i < draft.nodes.size(); ++i) {
    if (!is_productive[i]) continue;
    number[i] = uint32_t(network.nodes.size());
    network.nodes.emplace_back();
  }
  size_t at = 0;
  for (uint32_t i = 0; i < draft.nodes.size(); ++i) {
    if (number[i] == kNone) continue;
    const NetworkDraft::Node& from = draft.nodes[i];
    GrammarNetwork::Node& node = network.nodes[at++];
    node.kind = from.kind;
    node.run = from.run;
    node.target = from.kind == Kind::call ? number[draft.rules[from.target].start] : from.target;
    node.back = from.kind == Kind::call ? number[from.back] : 0;
    node.byte_begin = uint32_t(network.byte_edges.size());
    node.token_begin = uint32_t(network.token_edges.size());
    node.empty_begin = uint32_t(network.empty_edges.size());
    for (const auto& edge : from.bytes) {
      if (number[edge.target] != kNone) network.byte_edges.push_back({edge.low, edge.high, number[edge.target]});
    }
    for (const auto& edge : from.tokens) {
      if (number[edge.target] != kNone) network.token_edges.push_back({edge.id, number[edge.target]});
    }
    for (const uint32_t to : from.empties) {
      if (number[to] != kNone) network.empty_edges.push_back(number[to]);
    }
  }
  network.nodes.push_back({.byte_begin = uint32_t(network.byte_edges.size()),
                           .token_begin = uint32_t(network.token_edges.size()),
                           .empty_begin = uint32_t(network.empty_edges.size())});
  for (GrammarNetwork::Repeat repeat : draft.repeats) {
    for (uint32_t* node : {&repeat.body, &repeat.passed, &repeat.next}) *node = number[*node];
    network.repeats.push_back(repeat);
  }
  network.runs = std::move(draft.runs);
  network.start = number[draft.start];
  return network;
}

// In several rounds, since an end may lie behind several empty edges.
void mark_returns(GrammarNetwork& network) {
  for (bool has_changed = true; std::exchange(has_changed, false);) {
    for (size_t i = network.nodes.size() - 1; i-- > 0;) {
      GrammarNetwork::Node& node = network.nodes[i];
      const GrammarNetwork::Node& next = network.nodes[i + 1];
      if (node.is_return) continue;
      const bool has_one_empty = next.empty_begin == node.empty_begin + 1 && next.byte_begin == node.byte_begin &&
                                 next.token_begin == node.token_begin && node.kind == Kind::plain;
      node.is_return =
          node.kind == Kind::end || (has_one_empty && network.nodes[network.empty_edges[node.empty_begin]].is_return);
      has_changed |= node.is_return && node.kind != Kind::end;
    }
  }
}

}  // namespace

int64_t GrammarNetwork::memory_bytes() const {
  return int64_t(sizeof(GrammarNetwork) + nodes.capacity() * sizeof(Node) + byte_edges.capacity() * sizeof(ByteEdge) +
                 token_edges.capacity() * sizeof(TokenEdge) + empty_edges.capacity() * sizeof(uint32_t) +
                 repeats.capacity() * sizeof(Repeat) + runs.capacity() * sizeof(Run) + class_byte.capacity());
}

GrammarNetwork compile_network(const GrammarTree& tree) {
  NetworkDraft draft = draft_network(tree);
  const EmptyMoves moves(draft);
  refuse_left_recursion(draft, tree, moves);
  refuse_empty_counts(draft, moves);
  const Productive is_productive(draft);
  if (!is_productive[draft.start]) {
    throw Error(ErrorKind::request, "grammar: no finite text matches it; give every rule a way to end");
  }
  GrammarNetwork network = flatten(std::move(draft), is_productive);
  mark_returns(network);
  find_byte_classes(network);
  return network;
}

}  // namespace paro::text
