// Cuts a normalized text into the words that the model then encodes one by one, and rewrites them where the vocabulary
// wants it (byte-level alphabet, ▁ for a space).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/tokenizer_json.h"
#include "text/tokenizer_regex.h"

namespace paro::text {

// Words as ranges of one text; none is empty.
struct Words {
  struct Range {
    size_t begin;
    size_t end;
  };
  std::string text;
  std::vector<Range> ranges;

  std::string_view operator[](size_t i) const {
    return std::string_view(text).substr(ranges[i].begin, ranges[i].end - ranges[i].begin);
  }
};

class PreTokenizer {
 public:
  PreTokenizer() = default;
  explicit PreTokenizer(const JsonNode& node);

  // `at_start`: whether `text` is the very start of what is encoded.
  Words apply(std::string text, bool at_start) const;
  int64_t memory_bytes() const;

 private:
  enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };
  enum class CharClass { numeric, punctuation, white_space };
  struct Split {
    TextPattern pattern;
    Behavior behavior;
    bool invert;
  };
  struct SplitChars {
    CharClass chars;
    Behavior behavior;
  };
  struct SplitWords {};  // runs of word characters, and of what is neither word nor white space
  struct PrefixSpace {};
  struct ByteLevel {};
  enum class Prepend { first, never, always };
  struct Metaspace {
    std::string replacement;
    Prepend prepend;
  };
  using Step = std::variant<Split, SplitChars, SplitWords, PrefixSpace, ByteLevel, Metaspace>;

  void add(const JsonNode& node);
  void add_metaspace(const JsonNode& node);
  static Behavior behavior_of(const JsonNode& node);
  static void join(Behavior behavior, std::vector<Segment>& segments);
  static void segment_chars(CharClass chars, std::string_view text, std::vector<Segment>& segments);
  static void segment_words(std::string_view text, std::vector<Segment>& segments);
  template <typename Cut>
  static void cut(Words& words, Cut cut_word);
  template <typename Append>
  static void rewrite(Words& words, Append append_word);

  std::vector<Step> steps_;
};

}  // namespace paro::text
