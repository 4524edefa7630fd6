#include "text/pre_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "text/tokenizer_bytes.h"
#include "text/utf8.h"

namespace paro::text {

namespace {

// What GPT-2 cuts by, the default of byte-level pre-tokenizers.
constexpr std::string_view kByteLevelWords =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace

PreTokenizer::PreTokenizer(const JsonNode& node) { add(node); }

// Nesting is bounded by the depth that the JSON parser admits.
void PreTokenizer::add(const JsonNode& node) {
  const std::string_view type = node.at("type").text();
  if (type == "Sequence") {
    for (const JsonNode& item : node.at("pretokenizers").items()) add(item);
  } else if (type == "Split") {
    steps_.emplace_back(
        Split{TextPattern::from_json(node.at("pattern")), behavior_of(node.at("behavior")), node.at("invert").flag()});
  } else if (type == "ByteLevel") {
    if (node.at("add_prefix_space").flag()) steps_.emplace_back(PrefixSpace{});
    if (node.flag_or("use_regex", true)) {
      steps_.emplace_back(Split{TextPattern::regex(kByteLevelWords, node.path()), Behavior::isolated, false});
    }
    steps_.emplace_back(ByteLevel{});
  } else if (type == "Digits") {
    const bool individual = node.at("individual_digits").flag();
    steps_.emplace_back(SplitChars{CharClass::numeric, individual ? Behavior::isolated : Behavior::contiguous});
  } else if (type == "Punctuation") {
    const auto behavior = node.find("behavior");
    steps_.emplace_back(SplitChars{CharClass::punctuation, behavior ? behavior_of(*behavior) : Behavior::isolated});
  } else if (type == "WhitespaceSplit") {
    steps_.emplace_back(SplitChars{CharClass::white_space, Behavior::removed});
  } else if (type == "Whitespace") {
    steps_.emplace_back(SplitWords{});
  } else if (type == "Metaspace") {
    add_metaspace(node);
  } else {
    node.unsupported(fmt::format("pre-tokenizer '{}'", type));
  }
}

void PreTokenizer::add_metaspace(const JsonNode& node) {
  const JsonNode replacement = node.at("replacement");
  (void)replacement.character();
  Prepend prepend = Prepend::always;
  if (const auto scheme = node.find("prepend_scheme")) {
    if (scheme->text() == "first") {
      prepend = Prepend::first;
    } else if (scheme->text() == "never") {
      prepend = Prepend::never;
    } else if (scheme->text() != "always") {
      scheme->fail("'first', 'never' or 'always'");
    }
  } else if (!node.flag_or("add_prefix_space", true)) {
    prepend = Prepend::never;
  }
  steps_.emplace_back(Metaspace{std::string(replacement.text()), prepend});
  if (node.flag_or("split", true)) {
    steps_.emplace_back(
        Split{TextPattern::literal(std::string(replacement.text())), Behavior::merged_with_next, false});
  }
}

PreTokenizer::Behavior PreTokenizer::behavior_of(const JsonNode& node) {
  const std::string_view name = node.text();
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  node.fail("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

// Replaces each range of `words` by the ranges that cut_word(word, segments) leaves in `segments`.
template <typename Cut>
void PreTokenizer::cut(Words& words, Cut cut_word) {
  std::vector<Words::Range> ranges;
  ranges.reserve(words.ranges.size());
  std::vector<Segment> segments;
  for (size_t i = 0; i < words.ranges.size(); ++i) {
    const size_t offset = words.ranges[i].begin;
    cut_word(words[i], segments);
    for (const Segment& segment : segments) {
      if (segment.begin != segment.end) ranges.push_back({offset + segment.begin, offset + segment.end});
    }
  }
  words.ranges = std::move(ranges);
}

// Joins matches with what stands between them, in place.
void PreTokenizer::join(Behavior behavior, std::vector<Segment>& segments) {
  if (behavior == Behavior::isolated) return;
  if (behavior == Behavior::removed) {
    std::erase_if(segments, [](const Segment& segment) { return segment.is_match; });
    return;
  }
  const bool from_the_end = behavior == Behavior::merged_with_next;
  if (from_the_end) std::reverse(segments.begin(), segments.end());
  size_t n_joined = 0;
  bool previous_match = false;
  for (const Segment segment : segments) {
    const bool joins =
        behavior == Behavior::contiguous ? segment.is_match == previous_match : segment.is_match && !previous_match;
    previous_match = segment.is_match;
    if (!joins || n_joined == 0) {
      segments[n_joined++] = segment;
    } else if (from_the_end) {
      segments[n_joined - 1].begin = segment.begin;
    } else {
      segments[n_joined - 1].end = segment.end;
    }
  }
  segments.resize(n_joined);
  if (from_the_end) std::reverse(segments.begin(), segments.end());
}

void PreTokenizer::segment_chars(CharClass chars, std::string_view text, std::vector<Segment>& segments) {
  segments.clear();
  for (size_t position = 0; position < text.size();) {
    const Utf8Char c = utf8_char(text, position);
    const bool is_match = chars == CharClass::numeric       ? is_numeric(c.code)
                          : chars == CharClass::punctuation ? is_punctuation(c.code)
                                                            : is_white_space(c.code);
    const size_t end = position + c.length_bytes;
    if (is_match || segments.empty() || segments.back().is_match) {
      segments.push_back({position, end, is_match});
    } else {
      segments.back().end = end;
    }
    position = end;
  }
}

void PreTokenizer::segment_words(std::string_view text, std::vector<Segment>& segments) {
  segments.clear();
  enum class Kind { white_space, word, other };
  Kind previous = Kind::white_space;
  for (size_t position = 0; position < text.size();) {
    const Utf8Char c = utf8_char(text, position);
    const Kind kind = is_word(c.code) ? Kind::word : is_white_space(c.code) ? Kind::white_space : Kind::other;
    const size_t end = position + c.length_bytes;
    if (kind != Kind::white_space) {
      if (kind == previous) {
        segments.back().end = end;
      } else {
        segments.push_back({position, end, true});
      }
    }
    previous = kind;
    position = end;
  }
}

// Rebuilds the text from what append_word(text, word, range) makes of every word.
template <typename Append>
void PreTokenizer::rewrite(Words& words, Append append_word) {
  Words out;
  out.text.reserve(words.text.size() + words.text.size() / 4);
  out.ranges.reserve(words.ranges.size());
  for (size_t i = 0; i < words.ranges.size(); ++i) {
    const size_t begin = out.text.size();
    append_word(out.text, words[i], words.ranges[i]);
    out.ranges.push_back({begin, out.text.size()});
  }
  words = std::move(out);
}

Words PreTokenizer::apply(std::string text, bool at_start) const {
  Words words;
  words.text = std::move(text);
  if (!words.text.empty()) words.ranges.push_back({0, words.text.size()});
  for (const Step& step : steps_) {
    if (const auto* split = std::get_if<Split>(&step)) {
      cut(words, [&](std::string_view word, std::vector<Segment>& segments) {
        split->pattern.split(word, segments);
        if (split->invert) {
          for (Segment& segment : segments) segment.is_match = !segment.is_match;
        }
        join(split->behavior, segments);
      });
    } else if (const auto* split_chars = std::get_if<SplitChars>(&step)) {
      cut(words, [&](std::string_view word, std::vector<Segment>& segments) {
        segment_chars(split_chars->chars, word, segments);
        join(split_chars->behavior, segments);
      });
    } else if (std::holds_alternative<SplitWords>(step)) {
      cut(words, segment_words);
    } else if (std::holds_alternative<PrefixSpace>(step)) {
      rewrite(words, [](std::string& out, std::string_view word, Words::Range) {
        if (word.front() != ' ') out += ' ';
        out += word;
      });
    } else if (std::holds_alternative<ByteLevel>(step)) {
      rewrite(words, [](std::string& out, std::string_view word, Words::Range) { append_byte_level(out, word); });
    } else {
      const auto& metaspace = std::get<Metaspace>(step);
      rewrite(words, [&](std::string& out, std::string_view word, Words::Range range) {
        const bool prepend = metaspace.prepend == Prepend::always ||
                             (metaspace.prepend == Prepend::first && at_start && range.begin == 0);
        if (prepend && word.front() != ' ' && !word.starts_with(metaspace.replacement)) out += metaspace.replacement;
        for (const char c : word) {
          if (c == ' ') {
            out += metaspace.replacement;
          } else {
            out += c;
          }
        }
      });
    }
  }
  return words;
}

int64_t PreTokenizer::memory_bytes() const {
  int64_t total = int64_t(steps_.capacity() * sizeof(Step));
  for (const Step& step : steps_) {
    if (const auto* split = std::get_if<Split>(&step)) total += split->pattern.memory_bytes();
  }
  return total;
}

}  // namespace paro::text
