// A network while it is drawn from a grammar's expressions, before rules are checked and what leads nowhere is cut.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "text/grammar/network.h"
#include "text/grammar/tree.h"

namespace paro::text {

struct NetworkDraft {
  struct Node {
    GrammarNetwork::Kind kind = GrammarNetwork::Kind::plain;
    uint32_t target = 0, back = 0;
    uint32_t run = GrammarNetwork::kNoRun;
    std::vector<GrammarNetwork::ByteEdge> bytes;
    std::vector<GrammarNetwork::TokenEdge> tokens;
    std::vector<uint32_t> empties;
  };
  struct Rule {
    uint32_t start, end;
    uint32_t name;  // of the tree's rules
  };
  std::vector<Node> nodes;
  std::vector<GrammarNetwork::Repeat> repeats;
  std::vector<GrammarNetwork::Run> runs;
  std::vector<Rule> rules;  // as the tree's; calls have their index as target
  uint32_t start = 0, end = 0;
};

NetworkDraft draft_network(const GrammarTree& tree);

}  // namespace paro::text
