// The automaton that a grammar is compiled to: nodes with edges over bytes and tokens, calls of rules that return, and
// counted repetitions. A place in it is a node and a stack of frames (states.h).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace paro::text {

struct GrammarTree;

struct GrammarNetwork {
  enum class Kind : uint8_t {
    plain,          // byte, token and empty edges
    call,           // enters the node `target`; `back` follows when it returns
    end,            // of a rule or of a repetition's body: returns to the frame's node; of the root: the answer may end
    enter_repeat,   // starts the count of repeat `target`
    repeat_passed,  // a body of repeat `target` has been passed
  };
  struct Node {
    Kind kind = Kind::plain;
    bool is_return = false;  // leads to the end alone, so that a call that comes back here needs no frame
    uint32_t byte_begin = 0, token_begin = 0, empty_begin = 0;  // up to the next node's
    uint32_t target = 0, back = 0;
    uint32_t run = kNoRun;
  };
  struct ByteEdge {
    uint8_t low, high;
    uint32_t target;
  };
  struct TokenEdge {
    int32_t id;
    uint32_t target;
  };
  struct Repeat {
    uint32_t min, max;            // kUnbounded: the count stays at min
    uint32_t body, passed, next;  // nodes
  };
  // A promise about a node: any text of whole characters of these classes, of so many characters at most, may follow.
  struct Run {
    uint32_t classes;  // TokenClasses
    uint32_t n_chars;  // kUnbounded: any number
    uint32_t repeat;   // less the count of this repeat's frame, which is the top one; kNoRun: n_chars as it is
  };
  static constexpr uint32_t kNoRun = UINT32_MAX;
  static constexpr uint32_t kUnbounded = UINT32_MAX;

  std::vector<Node> nodes;  // and one beyond, for the ends of the last one's edges
  std::vector<ByteEdge> byte_edges;
  std::vector<TokenEdge> token_edges;
  std::vector<uint32_t> empty_edges;
  std::vector<Repeat> repeats;
  std::vector<Run> runs;
  uint32_t start = 0;

  std::array<uint8_t, 256> byte_class{};  // bytes that no edge tells apart have one class
  std::vector<uint8_t> class_byte;        // a byte of each class

  int64_t memory_bytes() const;
};

// Throws Error{request} for a rule without a definition, for left recursion, and for a grammar that nothing matches or
// that is too large.
GrammarNetwork compile_network(const GrammarTree& tree);

}  // namespace paro::text
