#include "text/tokenizer_added.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "text/utf8.h"

namespace paro::text {

ByteTrie::ByteTrie() { roots_.fill(kNone); }

ByteTrie::ByteTrie(std::vector<std::pair<std::string_view, uint32_t>> strings) {
  roots_.fill(kNone);
  std::sort(strings.begin(), strings.end());
  // A range of the sorted strings that share `depth` bytes, and the node for those bytes.
  struct Range {
    size_t begin;
    size_t end;
    size_t depth;
    uint32_t node;
  };
  std::vector<Range> ranges;
  const auto add_children = [&](size_t begin, size_t end, size_t depth) {
    for (size_t first = begin; first < end;) {
      const char byte = strings[first].first[depth];
      size_t last = first + 1;
      while (last < end && strings[last].first[depth] == byte) ++last;
      ranges.push_back({first, last, depth + 1, uint32_t(nodes_.size())});
      nodes_.push_back({0, kNone, 0, uint8_t(byte)});
      first = last;
    }
  };
  add_children(0, strings.size(), 0);
  for (const Range& root : ranges) roots_[nodes_[root.node].byte] = root.node;
  for (size_t i = 0; i < ranges.size(); ++i) {
    Range range = ranges[i];
    if (strings[range.begin].first.size() == range.depth) nodes_[range.node].value = strings[range.begin++].second;
    const size_t first_child = nodes_.size();
    add_children(range.begin, range.end, range.depth);
    nodes_[range.node].first_child = uint32_t(first_child);
    nodes_[range.node].n_children = uint16_t(nodes_.size() - first_child);
  }
  nodes_.shrink_to_fit();
}

ByteTrie::Match ByteTrie::longest_at(std::string_view text, size_t position) const {
  Match match;
  uint32_t node = roots_[uint8_t(text[position])];
  for (size_t end = position + 1; node != kNone; ++end) {
    if (nodes_[node].value != kNone) match = {end - position, nodes_[node].value};
    if (end == text.size()) break;
    const auto first = nodes_.begin() + nodes_[node].first_child;
    const auto last = first + nodes_[node].n_children;
    const uint8_t byte = uint8_t(text[end]);
    const auto child = std::lower_bound(first, last, byte, [](const Node& a, uint8_t b) { return a.byte < b; });
    node = child != last && child->byte == byte ? uint32_t(child - nodes_.begin()) : kNone;
  }
  return match;
}

AddedTokens::AddedTokens(const JsonNode& tokens, const StringTable& vocab, size_t n_vocab_tokens,
                         const Normalizer& normalizer) {
  std::map<std::string_view, size_t> index_of;
  StringPool contents;
  int32_t next_id = int32_t(n_vocab_tokens);
  for (const JsonNode& node : tokens.items()) {
    const std::string_view content = node.at("content").text();
    (void)node.at("id").integer(0, INT32_MAX);
    AddedToken token;
    token.special = node.at("special").flag();
    token.normalized = node.at("normalized").flag();
    token.single_word = node.at("single_word").flag();
    token.lstrip = node.at("lstrip").flag();
    token.rstrip = node.at("rstrip").flag();
    if (content.empty()) continue;
    const auto [entry, is_new] = index_of.try_emplace(content, tokens_.size());
    if (!is_new) {
      // Of a token that is listed twice the later entry counts, but special it stays.
      token.id = tokens_[entry->second].id;
      token.special = token.special || tokens_[entry->second].special;
      tokens_[entry->second] = token;
      continue;
    }
    const uint32_t id = vocab.find(content);
    token.id = id == StringTable::kNone ? next_id++ : int32_t(id);
    tokens_.push_back(token);
    contents.append(content);
  }
  contents.shrink();
  contents_ = StringTable(std::move(contents));

  std::vector<std::pair<std::string_view, uint32_t>> raw;
  std::vector<std::pair<std::string_view, uint32_t>> normalized;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    shown_.append(tokens_[i].normalized ? normalizer.apply(std::string(contents_[i])) : std::string(contents_[i]));
  }
  shown_.shrink();
  for (size_t i = 0; i < tokens_.size(); ++i) {
    (tokens_[i].normalized ? normalized : raw).emplace_back(shown_[i], uint32_t(i));
  }
  std::map<std::string_view, uint32_t> seen;
  for (const auto& [form, i] : normalized) {
    if (form.empty()) {
      throw Error(ErrorKind::tokenizer, "tokenizer.json: added_tokens: '{}' is empty when normalized", contents_[i]);
    }
    if (const auto [other, is_new] = seen.try_emplace(form, i); !is_new) {
      throw Error(ErrorKind::tokenizer, "tokenizer.json: added_tokens: '{}' and '{}' are the same when normalized",
                  contents_[other->second], contents_[i]);
    }
  }
  if (!raw.empty()) raw_trie_ = ByteTrie(std::move(raw));
  if (!normalized.empty()) normalized_trie_ = ByteTrie(std::move(normalized));
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text, const ByteTrie& trie) const {
  std::vector<Part> parts;
  size_t taken = 0;  // where the part after the last token starts
  for (size_t position = 0; position < text.size();) {
    const ByteTrie::Match match = trie.longest_at(text, position);
    if (match.value == ByteTrie::kNone) {
      ++position;
      continue;
    }
    const AddedToken& token = tokens_[match.value];
    size_t begin = position;
    size_t end = position += match.length_bytes;
    if (token.single_word) {
      const bool continues_word = begin > 0 && is_word(utf8_char(text, utf8_previous(text, begin)).code);
      const bool word_continues = end < text.size() && is_word(utf8_char(text, end).code);
      if (continues_word || word_continues) continue;
    }
    if (token.lstrip) {
      while (begin > taken && is_white_space(utf8_char(text, utf8_previous(text, begin)).code)) {
        begin = utf8_previous(text, begin);
      }
      begin = std::max(begin, taken);
    }
    if (token.rstrip) {
      while (end < text.size() && is_white_space(utf8_char(text, end).code)) {
        end += utf8_char(text, end).length_bytes;
      }
    }
    // White space that an earlier token took in may hold further tokens; they count, but no text before them does.
    if (taken < begin) parts.push_back({taken, begin});
    parts.push_back({begin, end, token.id});
    taken = end;
  }
  if (taken < text.size()) parts.push_back({taken, text.size()});
  return parts;
}

std::optional<int32_t> AddedTokens::id_of(std::string_view content) const {
  const uint32_t i = contents_.find(content);
  if (i == StringTable::kNone) return std::nullopt;
  return tokens_[i].id;
}

bool AddedTokens::is_special_text(std::string_view text) const {
  const uint32_t i = contents_.find(text);
  return i != StringTable::kNone && tokens_[i].special;
}

int64_t AddedTokens::memory_bytes() const {
  return int64_t(tokens_.capacity() * sizeof(AddedToken)) + contents_.memory_bytes() + shown_.memory_bytes() +
         raw_trie_.memory_bytes() + normalized_trie_.memory_bytes();
}

}  // namespace paro::text
