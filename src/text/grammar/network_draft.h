// A network while it is drawn from a grammar's expressions, before rules are checked and what leads nowhere is cut.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "text/grammar/network.h"
#include "text/grammar/tree.h"

namespace paro::text {

struct NetworkDraft {
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Node {
    GrammarNetwork::Kind kind = GrammarNetwork::Kind::plain;
    uint32_t target = 0, back = 0;
    uint32_t run = GrammarNetwork::kNoRun;
    uint32_t byte = kNone, token = kNone, empty = kNone;  // the edge drawn last
  };
  template <typename Edge>
  struct Drawn {
    Edge edge;
    uint32_t previous;  // of the same node
  };
  struct Rule {
    uint32_t start, end;
    uint32_t name;  // of the tree's rules
  };

  template <typename Visit>
  void for_each_byte_edge(const Node& node, Visit visit) const {
    for (uint32_t e = node.byte; e != kNone; e = byte_edges[e].previous) visit(byte_edges[e].edge);
  }
  template <typename Visit>
  void for_each_token_edge(const Node& node, Visit visit) const {
    for (uint32_t e = node.token; e != kNone; e = token_edges[e].previous) visit(token_edges[e].edge);
  }
  template <typename Visit>
  void for_each_empty_edge(const Node& node, Visit visit) const {
    for (uint32_t e = node.empty; e != kNone; e = empty_edges[e].previous) visit(empty_edges[e].edge);
  }

  // In blocks, which do not move while they grow: a draft is the most that a grammar takes.
  std::deque<Node> nodes;
  std::deque<Drawn<GrammarNetwork::ByteEdge>> byte_edges;
  std::deque<Drawn<GrammarNetwork::TokenEdge>> token_edges;
  std::deque<Drawn<uint32_t>> empty_edges;
  std::vector<GrammarNetwork::Repeat> repeats;
  std::vector<GrammarNetwork::Run> runs;
  std::vector<Rule> rules;  // as the tree's; calls have their index as target
  uint32_t start = 0, end = 0;
};

NetworkDraft draft_network(const GrammarTree& tree);

}  // namespace paro::text
