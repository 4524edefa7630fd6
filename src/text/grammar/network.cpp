#include "text/grammar/network.h"

#include <algorithm>
#include <bitset>
#include <span>
#include <utility>

#include "base/error.h"
#include "text/grammar/network_draft.h"
#include "text/grammar/tree.h"

namespace paro::text {
namespace {

using Kind = GrammarNetwork::Kind;
constexpr uint32_t kNone = UINT32_MAX;

// The nodes that each node is a successor of.
class Sources {
 public:
  // `each(visit)` calls visit(from, to) for every pair, the same ones each time.
  template <typename Each>
  Sources(size_t n_nodes, Each each) : begin_(n_nodes + 2, 0) {
    each([&](uint32_t, uint32_t to) { ++begin_[to + 2]; });
    for (size_t i = 2; i < begin_.size(); ++i) begin_[i] += begin_[i - 1];
    from_.resize(begin_.back());
    each([&](uint32_t from, uint32_t to) { from_[begin_[to + 1]++] = from; });
  }

  std::span<const uint32_t> of(uint32_t node) const {
    return {from_.data() + begin_[node], begin_[node + 1] - begin_[node]};
  }

 private:
  std::vector<uint32_t> begin_;  // [n_nodes + 2]
  std::vector<uint32_t> from_;
};

// The nodes for which something holds that goes from a node to those before it: to a call or a repetition from what
// comes behind it and what is inside alike.
class Backward {
 public:
  // `sources` are those over which it goes; it holds for the ends of rules.
  Backward(const NetworkDraft& draft, const Sources& sources) : draft_(draft), holds_(draft.nodes.size()) {
    std::vector<uint32_t> open;
    for (uint32_t i = 0; i < draft.nodes.size(); ++i) {
      if (draft.nodes[i].kind != Kind::end) continue;
      holds_[i] = true;
      open.push_back(i);
    }
    while (!open.empty()) {
      const uint32_t reached = open.back();
      open.pop_back();
      for (const uint32_t i : sources.of(reached)) {
        if (holds_[i] || !can_hold(i)) continue;
        holds_[i] = true;
        open.push_back(i);
      }
    }
  }

  bool operator[](uint32_t node) const { return holds_[node]; }

 private:
  bool can_hold(uint32_t i) const {
    const NetworkDraft::Node& node = draft_.nodes[i];
    if (node.kind == Kind::call) return holds_[draft_.rules[node.target].start] && holds_[node.back];
    if (node.kind != Kind::enter_repeat) return true;
    const GrammarNetwork::Repeat& repeat = draft_.repeats[node.target];
    return holds_[repeat.next] && (repeat.min == 0 || holds_[repeat.body]);
  }

  const NetworkDraft& draft_;
  std::vector<char> holds_;
};

// What comes after a node without a byte: within a call or a repetition, and behind it.
template <typename Visit>
void for_each_inner(const NetworkDraft& draft, const NetworkDraft::Node& node, Visit visit) {
  draft.for_each_empty_edge(node, visit);
  if (node.kind == Kind::call) {
    visit(draft.rules[node.target].start);
    visit(node.back);
  } else if (node.kind == Kind::enter_repeat) {
    visit(draft.repeats[node.target].body);
    visit(draft.repeats[node.target].next);
  }
}

// From which nodes the end of their rule can be reached: the others lead nowhere, and no text may stray there.
Backward productive(const NetworkDraft& draft) {
  return Backward(draft, Sources(draft.nodes.size(), [&](auto visit) {
                    for (uint32_t i = 0; i < draft.nodes.size(); ++i) {
                      const NetworkDraft::Node& node = draft.nodes[i];
                      for_each_inner(draft, node, [&](uint32_t to) { visit(i, to); });
                      draft.for_each_byte_edge(node, [&](const auto& edge) { visit(i, edge.target); });
                      draft.for_each_token_edge(node, [&](const auto& edge) { visit(i, edge.target); });
                      if (node.kind == Kind::repeat_passed) visit(i, draft.repeats[node.target].next);
                    }
                  }));
}

// From which nodes the end of their rule, or of the repetition's body, is reached without a byte.
Backward passed_empty(const NetworkDraft& draft) {
  return Backward(draft, Sources(draft.nodes.size(), [&](auto visit) {
                    for (uint32_t i = 0; i < draft.nodes.size(); ++i)
                      for_each_inner(draft, draft.nodes[i], [&](uint32_t to) { visit(i, to); });
                  }));
}

// The stack of a rule that begins with itself would grow without a byte read.
void refuse_left_recursion(const NetworkDraft& draft, const GrammarTree& tree, const Backward& passes) {
  std::vector<uint32_t> seen(draft.nodes.size(), kNone);
  std::vector<std::vector<uint32_t>> begins_with(draft.rules.size());
  for (uint32_t rule = 0; rule < draft.rules.size(); ++rule) {
    std::vector<uint32_t> open{draft.rules[rule].start};
    seen[open[0]] = rule;
    while (!open.empty()) {
      const uint32_t node = open.back();
      open.pop_back();
      const auto meet = [&](uint32_t next) {
        if (std::exchange(seen[next], rule) != rule) open.push_back(next);
      };
      const NetworkDraft::Node& here = draft.nodes[node];
      draft.for_each_empty_edge(here, meet);
      if (here.kind == Kind::call) {
        // What a called rule begins with is that rule's own to tell.
        begins_with[rule].push_back(here.target);
        if (passes[draft.rules[here.target].start]) meet(here.back);
      } else if (here.kind == Kind::enter_repeat) {
        const GrammarNetwork::Repeat& repeat = draft.repeats[here.target];
        meet(repeat.body);
        if (repeat.min == 0 || passes[repeat.body]) meet(repeat.next);
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
void refuse_empty_counts(const NetworkDraft& draft, const Backward& passes) {
  constexpr uint32_t kMaxCount = 256;
  for (const GrammarNetwork::Repeat& repeat : draft.repeats) {
    const uint32_t n = repeat.max == GrammarNetwork::kUnbounded ? repeat.min : repeat.max;
    if (n > kMaxCount && passes[repeat.body]) {
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

GrammarNetwork flatten(NetworkDraft draft, const Backward& is_productive) {
  GrammarNetwork network;
  network.nodes.reserve(draft.nodes.size() + 1);
  network.byte_edges.reserve(draft.byte_edges.size());
  network.token_edges.reserve(draft.token_edges.size());
  network.empty_edges.reserve(draft.empty_edges.size());
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
    draft.for_each_byte_edge(from, [&](const GrammarNetwork::ByteEdge& edge) {
      if (number[edge.target] != kNone) network.byte_edges.push_back({edge.low, edge.high, number[edge.target]});
    });
    draft.for_each_token_edge(from, [&](const GrammarNetwork::TokenEdge& edge) {
      if (number[edge.target] != kNone) network.token_edges.push_back({edge.id, number[edge.target]});
    });
    draft.for_each_empty_edge(from, [&](uint32_t to) {
      if (number[to] != kNone) network.empty_edges.push_back(number[to]);
    });
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
  const Backward passes = passed_empty(draft);
  refuse_left_recursion(draft, tree, passes);
  refuse_empty_counts(draft, passes);
  const Backward is_productive = productive(draft);
  if (!is_productive[draft.start]) {
    throw Error(ErrorKind::request, "grammar: no finite text matches it; give every rule a way to end");
  }
  GrammarNetwork network = flatten(std::move(draft), is_productive);
  mark_returns(network);
  find_byte_classes(network);
  return network;
}

}  // namespace paro::text
