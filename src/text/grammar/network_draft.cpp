#include "text/grammar/network_draft.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "text/grammar/token_classes.h"
#include "text/utf8.h"

namespace paro::text {
namespace {

using Kind = GrammarTree::Kind;
using NodeKind = GrammarNetwork::Kind;
using Run = GrammarNetwork::Run;
constexpr uint32_t kUnbounded = GrammarNetwork::kUnbounded;
constexpr uint32_t kNone = GrammarNetwork::kNoRun;

constexpr size_t kMaxNodes = 1 << 17;
constexpr size_t kMaxEdges = 1 << 18;
constexpr int kMaxDepth = 1000;
constexpr uint64_t kMaxUnrolled = 96;  // a repetition of up to so many parts is written out, beyond it is counted

class Drafter {
 public:
  explicit Drafter(const GrammarTree& tree) : tree_(tree), sizes_(tree.expressions.size(), 0) {}

  NetworkDraft draft() {
    for (uint32_t i = 0; i < tree_.rules.size(); ++i) {
      if (tree_.rules[i].body == GrammarTree::kUndefined) {
        throw Error(ErrorKind::request, "grammar: rule '{}' is used and nowhere defined", tree_.rules[i].name);
      }
      const uint32_t start = add_node();
      out_.rules.push_back({start, add_node(NodeKind::end), i});
    }
    for (uint32_t i = 0; i < tree_.rules.size(); ++i) {
      draw(tree_.rules[i].body, out_.rules[i].start, out_.rules[i].end, 0);
    }
    out_.start = add_node();
    out_.end = add_node(NodeKind::end);
    draw(tree_.root, out_.start, out_.end, 0);
    return std::move(out_);
  }

 private:
  uint32_t add_node(NodeKind kind = NodeKind::plain) {
    if (out_.nodes.size() == kMaxNodes) {
      throw Error(ErrorKind::request, "grammar: it needs more than {} states; ask for a smaller one", kMaxNodes);
    }
    out_.nodes.push_back({.kind = kind});
    return uint32_t(out_.nodes.size() - 1);
  }

  template <typename Edge>
  void add_edge(std::deque<NetworkDraft::Drawn<Edge>>& edges, uint32_t& last, Edge edge) {
    if (++n_edges_ > kMaxEdges) {
      throw Error(ErrorKind::request, "grammar: it needs more than {} transitions; ask for a smaller one", kMaxEdges);
    }
    edges.push_back({edge, last});
    last = uint32_t(edges.size() - 1);
  }

  void add_empty(uint32_t from, uint32_t to) { add_edge(out_.empty_edges, out_.nodes[from].empty, to); }

  void add_bytes(uint32_t from, int low, int high, uint32_t to) {
    if (low > high) return;
    add_edge(out_.byte_edges, out_.nodes[from].byte, {uint8_t(low), uint8_t(high), to});
  }

  void set_run(uint32_t node, Run run) {
    out_.nodes[node].run = uint32_t(out_.runs.size());
    out_.runs.push_back(run);
  }

  std::string_view bytes_of(const GrammarTree::Expression& e) const {
    return std::string_view(tree_.bytes).substr(e.first, e.count);
  }

  std::span<const CodeRange> ranges_of(const GrammarTree::Expression& e) const {
    return std::span(tree_.ranges).subspan(e.first, e.count);
  }

  // Only adds paths that leave `from` and arrive at `to`: neither gets an edge that a neighbour could take as its own.
  void draw(uint32_t expression, uint32_t from, uint32_t to, int depth) {
    if (depth > kMaxDepth) throw Error(ErrorKind::request, "grammar: nested more than {} deep", kMaxDepth);
    const GrammarTree::Expression e = tree_.expressions[expression];
    switch (e.kind) {
      case Kind::empty:
        return add_empty(from, to);
      case Kind::never:
        return;
      case Kind::literal:
        return draw_literal(bytes_of(e), from, to);
      case Kind::byte_range:
        return add_bytes(from, int(e.first), int(e.count), to);
      case Kind::character:
        return draw_character(ranges_of(e), from, to);
      case Kind::token:
        return add_edge(out_.token_edges, out_.nodes[from].token, {int32_t(e.first), to});
      case Kind::text: {
        const uint32_t loop = add_node();
        add_empty(from, loop);
        add_bytes(loop, 0, 255, loop);
        set_run(loop, {TokenClasses::kAll, kUnbounded, kNone});
        return add_empty(loop, to);
      }
      case Kind::text_until:
      case Kind::text_without:
        return draw_text_with_marker(bytes_of(e), e.kind == Kind::text_until, from, to);
      case Kind::sequence:
        for (uint32_t i = 0; i < e.count; ++i) {
          const uint32_t next = i + 1 == e.count ? to : add_node();
          draw(tree_.children[e.first + i], from, next, depth + 1);
          from = next;
        }
        return;
      case Kind::alternatives:
        return draw_alternatives(e, from, to, depth);
      case Kind::repeat:
        return draw_repeat(tree_.children[e.first], tree_.children[e.first + 1], tree_.children[e.first + 2], from, to,
                           depth);
      case Kind::use: {
        const uint32_t call = add_node(NodeKind::call);
        out_.nodes[call].target = e.first;
        out_.nodes[call].back = to;
        return add_empty(from, call);
      }
    }
  }

  void draw_literal(std::string_view bytes, uint32_t from, uint32_t to) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      const uint32_t next = i + 1 == bytes.size() ? to : add_node();
      add_bytes(from, uint8_t(bytes[i]), uint8_t(bytes[i]), next);
      from = next;
    }
  }

  // Literals share their beginnings, so that a choice among hundreds costs a node for each byte that tells them apart.
  void draw_alternatives(const GrammarTree::Expression& e, uint32_t from, uint32_t to, int depth) {
    std::vector<std::string_view> literals;
    for (uint32_t i = 0; i < e.count; ++i) {
      const uint32_t child = tree_.children[e.first + i];
      if (tree_.expressions[child].kind == Kind::literal) {
        literals.push_back(bytes_of(tree_.expressions[child]));
      } else {
        draw(child, from, to, depth + 1);
      }
    }
    std::sort(literals.begin(), literals.end());
    literals.erase(std::unique(literals.begin(), literals.end()), literals.end());
    std::vector<uint32_t> path;  // path[i]: the node after i + 1 bytes of the literal before
    std::string_view previous;
    for (const std::string_view literal : literals) {
      const auto differs = std::mismatch(previous.begin(), previous.end(), literal.begin(), literal.end());
      path.resize(size_t(differs.first - previous.begin()));
      while (path.size() < literal.size()) {
        const uint8_t byte = uint8_t(literal[path.size()]);
        const uint32_t next = add_node();
        add_bytes(path.empty() ? from : path.back(), byte, byte, next);
        path.push_back(next);
      }
      add_empty(path.back(), to);
      previous = literal;
    }
  }

  void draw_character(std::span<const CodeRange> ranges, uint32_t from, uint32_t to) {
    std::array<uint32_t, 4> tails{to, kNone, kNone, kNone};  // [n]: n continuation bytes lie before `to`
    constexpr std::array<char32_t, 4> kLast{0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
    for (const CodeRange range : ranges) {
      char32_t low = range.low;
      for (const char32_t last : kLast) {
        if (low > last || low > range.high) continue;
        const char32_t high = std::min(range.high, last);
        std::string first_bytes, last_bytes;
        append_utf8(first_bytes, low);
        append_utf8(last_bytes, high);
        draw_sequences(first_bytes, last_bytes, from, tails);
        low = high + 1;
      }
    }
  }

  // All sequences between two of the same length.
  void draw_sequences(std::string_view low, std::string_view high, uint32_t from, std::array<uint32_t, 4>& tails) {
    const size_t n_after = low.size() - 1;
    int first = uint8_t(low[0]), last = uint8_t(high[0]);
    const auto branch = [&](int byte, std::string_view rest_low, std::string_view rest_high) {
      const uint32_t next = add_node();
      add_bytes(from, byte, byte, next);
      draw_sequences(rest_low, rest_high, next, tails);
    };
    if (n_after > 0) {
      const std::string lowest(n_after, '\x80'), highest(n_after, '\xBF');
      const bool low_is_whole = low.substr(1) == lowest, high_is_whole = high.substr(1) == highest;
      if (first == last && !(low_is_whole && high_is_whole)) return branch(first, low.substr(1), high.substr(1));
      if (!low_is_whole) branch(first++, low.substr(1), highest);
      if (!high_is_whole) branch(last--, lowest, high.substr(1));
    }
    if (first <= last) add_bytes(from, first, last, tail(n_after, tails));
  }

  uint32_t tail(size_t n_bytes, std::array<uint32_t, 4>& tails) {
    if (tails[n_bytes] == kNone) {
      const uint32_t next = tail(n_bytes - 1, tails);
      tails[n_bytes] = add_node();
      add_bytes(tails[n_bytes], 0x80, 0xBF, next);
    }
    return tails[n_bytes];
  }

  // The automaton of Knuth, Morris and Pratt: node i says that the text ends in the marker's first i bytes.
  void draw_text_with_marker(std::string_view marker, bool ends_with_it, uint32_t from, uint32_t to) {
    const size_t n = marker.size();
    std::vector<std::array<uint32_t, 256>> after(n);  // [i][byte]: how much of the marker the text then ends in
    size_t border = 0;                                // the longest proper one, of the first i bytes
    for (size_t i = 0; i < n; ++i) {
      after[i] = i == 0 ? std::array<uint32_t, 256>{} : after[border];
      if (i > 0) border = after[border][uint8_t(marker[i])];
      after[i][uint8_t(marker[i])] = uint32_t(i + 1);
    }
    std::vector<uint32_t> nodes;
    for (size_t i = 0; i < n; ++i) nodes.push_back(add_node());
    const uint32_t first_class = class_of(marker.front()), last_class = class_of(marker.back());
    for (size_t i = 0; i < n; ++i) {
      for (int low = 0; low < 256;) {
        int high = low;
        while (high < 255 && after[i][size_t(high) + 1] == after[i][size_t(low)]) ++high;
        const uint32_t reached = after[i][size_t(low)];
        if (reached < n) {
          add_bytes(nodes[i], low, high, nodes[reached]);
        } else if (ends_with_it) {
          add_bytes(nodes[i], low, high, to);
        }
        low = high + 1;
      }
      // Without the first byte no marker begins, and without the last none that has begun is completed.
      set_run(nodes[i], {~first_class & (i == 0 ? TokenClasses::kAll : ~last_class), kUnbounded, kNone});
      if (!ends_with_it) add_empty(nodes[i], to);
    }
    add_empty(from, nodes[0]);
  }

  // Of any byte; those beyond ASCII may stand in whole characters and in broken ones.
  static uint32_t class_of(char byte) {
    return uint8_t(byte) < 0x80 ? TokenClasses::of_ascii(uint8_t(byte))
                                : TokenClasses::kNonAscii | TokenClasses::kBroken;
  }

  // Of texts that are the expression repeated: the classes of those of its alternatives that are one character.
  uint32_t repeated_classes(uint32_t expression) const {
    const GrammarTree::Expression e = tree_.expressions[expression];
    if (e.kind == Kind::character) return TokenClasses::within(ranges_of(e));
    if (e.kind == Kind::sequence || e.kind != Kind::alternatives) return 0;
    uint32_t classes = 0;
    for (uint32_t i = 0; i < e.count; ++i) {
      const GrammarTree::Expression& part = tree_.expressions[tree_.children[e.first + i]];
      if (part.kind == Kind::character) classes |= TokenClasses::within(ranges_of(part));
    }
    return classes;
  }

  // Parts that drawing the expression takes, about; 0 is not known yet.
  uint64_t size_of(uint32_t expression, int depth = 0) {
    if (sizes_[expression] != 0) return sizes_[expression];
    if (depth > kMaxDepth) return kMaxNodes;
    const GrammarTree::Expression e = tree_.expressions[expression];
    uint64_t size = 1;
    if (e.kind == Kind::literal || e.kind == Kind::text_until || e.kind == Kind::text_without) size = e.count;
    if (e.kind == Kind::character) size = 1 + e.count;
    if (e.kind == Kind::sequence || e.kind == Kind::alternatives) {
      for (uint32_t i = 0; i < e.count; ++i) size += size_of(tree_.children[e.first + i], depth + 1);
    }
    if (e.kind == Kind::repeat) {
      const uint64_t body = size_of(tree_.children[e.first], depth + 1);
      const uint32_t min = tree_.children[e.first + 1], max = tree_.children[e.first + 2];
      const uint64_t n = max == kUnbounded ? uint64_t(min) + 1 : max;
      size = n * body > kMaxUnrolled ? body + 2 : n * body;
    }
    return sizes_[expression] = std::min<uint64_t>(size, kMaxNodes);
  }

  void draw_repeat(uint32_t body, uint32_t min, uint32_t max, uint32_t from, uint32_t to, int depth) {
    const uint32_t classes = repeated_classes(body);
    const uint64_t n_parts = max == kUnbounded ? min : max;
    if (n_parts * size_of(body) > kMaxUnrolled) return draw_counted(body, min, max, from, to, classes, depth);
    for (uint32_t i = 0; i < n_parts; ++i) {
      const uint32_t here = add_node();
      add_empty(from, here);
      if (i >= min) add_empty(here, to);
      if (classes != 0) set_run(here, {classes, max == kUnbounded ? kUnbounded : max - i, kNone});
      from = add_node();
      draw(body, here, from, depth + 1);
    }
    if (max == kUnbounded) {
      const uint32_t loop = add_node();
      if (classes != 0) set_run(loop, {classes, kUnbounded, kNone});
      add_empty(from, loop);
      draw(body, loop, loop, depth + 1);
      from = loop;
    }
    add_empty(from, to);
  }

  void draw_counted(uint32_t body, uint32_t min, uint32_t max, uint32_t from, uint32_t to, uint32_t classes,
                    int depth) {
    const uint32_t repeat = uint32_t(out_.repeats.size());
    const uint32_t enter = add_node(NodeKind::enter_repeat), passed = add_node(NodeKind::repeat_passed);
    const uint32_t start = add_node(), end = add_node(NodeKind::end);
    out_.repeats.push_back({min, max, start, passed, to});
    out_.nodes[enter].target = out_.nodes[passed].target = repeat;
    if (classes != 0) set_run(start, {classes, max, max == kUnbounded ? kNone : repeat});
    add_empty(from, enter);
    draw(body, start, end, depth + 1);
  }

  const GrammarTree& tree_;
  std::vector<uint64_t> sizes_;
  NetworkDraft out_;
  size_t n_edges_ = 0;
};

}  // namespace

NetworkDraft draft_network(const GrammarTree& tree) { return Drafter(tree).draft(); }

}  // namespace paro::text
