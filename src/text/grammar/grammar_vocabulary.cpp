#include "text/grammar/grammar_vocabulary.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <type_traits>
#include <unordered_map>

#include "base/error.h"
#include "text/grammar/token_classes.h"
#include "text/grammar/tree.h"
#include "text/utf8.h"

namespace paro::text {
namespace {

constexpr size_t kMaxTokenBytes = 4096;
constexpr uint32_t kManyChars = GrammarVocabulary::kManyChars;
constexpr uint32_t kLongChars = 12;  // few tokens have more

using Content = GrammarVocabulary::Content;

// [i]: what bytes[i...] are made of; [bytes.size()]: nothing.
void contents_from(std::string_view bytes, std::vector<Content>& out) {
  out.assign(bytes.size() + 1, {});
  for (size_t i = bytes.size(); i-- > 0;) {
    const uint8_t byte = uint8_t(bytes[i]);
    const Utf8Step step = utf8_step(bytes, i);
    // Behind a whole character the rest is judged for itself; broken bytes break all that starts with them.
    const bool is_whole = step.state == Utf8State::complete;
    out[i] = out[is_whole ? i + step.length_bytes : i + 1];
    out[i].classes |= byte < 0x80 ? TokenClasses::of_ascii(byte) : TokenClasses::kNonAscii;
    if (!is_whole) out[i].classes |= TokenClasses::kBroken;
    out[i].n_chars = std::min(out[i].n_chars + 1, kManyChars);
  }
}

}  // namespace

GrammarVocabulary::GrammarVocabulary(std::span<const Token> tokens, std::span<const int32_t> stop_ids)
    : stop_ids_(stop_ids.begin(), stop_ids.end()) {
  const size_t n = tokens.size();
  for (const int32_t id : stop_ids_) {
    if (id < 0 || size_t(id) >= n) {
      throw Error(ErrorKind::tokenizer, "stop token {}, expected an id of a vocabulary of {} tokens", id, n);
    }
  }
  byte_begin_.reserve(n + 1);
  std::vector<uint32_t> content_classes(n);
  content_n_chars_.resize(n);
  has_bytes_.assign((n + 31) / 32, 0);
  std::vector<Content> contents;
  for (size_t id = 0; id < n; ++id) {
    byte_begin_.push_back(uint32_t(bytes_.size()));
    const Token& token = tokens[id];
    if (token.is_special || token.bytes.empty()) continue;
    if (token.bytes.size() > kMaxTokenBytes) {
      throw Error(ErrorKind::tokenizer, "token {} has {} bytes, expected at most {}", id, token.bytes.size(),
                  kMaxTokenBytes);
    }
    bytes_ += token.bytes;
    has_bytes_[id / 32] |= 1u << id % 32;
    contents_from(token.bytes, contents);
    content_classes[id] = contents[0].classes;
    content_n_chars_[id] = uint8_t(contents[0].n_chars);
    max_chars_ = std::max(max_chars_, contents[0].n_chars);
    max_bytes_ = std::max(max_bytes_, uint32_t(token.bytes.size()));
  }
  byte_begin_.push_back(uint32_t(bytes_.size()));
  bytes_.shrink_to_fit();
  build_planes(content_classes);
  build_trie();
  describe_trie();
}

GrammarVocabulary GrammarVocabulary::from_tokenizer(const Tokenizer& tokenizer, std::span<const int32_t> stop_ids,
                                                    int32_t vocab_size) {
  std::vector<Token> tokens(static_cast<size_t>(vocab_size));
  for (int32_t id = 0; id < std::min(vocab_size, tokenizer.vocab_size()); ++id) {
    tokens[size_t(id)] = {tokenizer.token_bytes(id), tokenizer.is_special(id)};
  }
  return GrammarVocabulary(tokens, stop_ids);
}

void GrammarVocabulary::build_planes(std::span<const uint32_t> content_classes) {
  std::vector<std::pair<size_t, Plane>> counted;
  for (uint32_t bit = 0; bit < 32; ++bit) {
    Plane plane{1u << bit, std::vector<uint32_t>(mask_words())};
    size_t n_tokens = 0;
    for (size_t id = 0; id < content_classes.size(); ++id) {
      if ((content_classes[id] & plane.class_bit) == 0) continue;
      plane.mask[id / 32] |= 1u << id % 32;
      ++n_tokens;
    }
    if (n_tokens > 0) counted.emplace_back(n_tokens, std::move(plane));
  }
  std::ranges::stable_sort(counted, std::greater(), [](const auto& entry) { return entry.first; });
  for (auto& [n_tokens, plane] : counted) planes_.push_back(std::move(plane));
  for (int32_t id = 0; id < vocab_size(); ++id) {
    if (content_n_chars_[size_t(id)] > kLongChars) long_ids_.push_back(id);
  }
  std::ranges::stable_sort(long_ids_, std::greater(), [&](int32_t id) { return content_n_chars_[size_t(id)]; });
}

void GrammarVocabulary::build_trie() {
  for (int32_t id = 0; id < vocab_size(); ++id) {
    if (!bytes(id).empty()) order_.push_back(id);
  }
  std::sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) {
    const int order = bytes(a).compare(bytes(b));
    return order != 0 ? order < 0 : a < b;
  });
  trie_.push_back({});
  std::vector<uint32_t> path{0};
  std::string_view previous;
  const auto close = [&](size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) trie_[path.back()].subtree_end = uint32_t(trie_.size());
  };
  for (uint32_t position = 0; position < order_.size(); ++position) {
    const std::string_view token = bytes(order_[position]);
    const auto differs = std::mismatch(previous.begin(), previous.end(), token.begin(), token.end());
    close(size_t(differs.first - previous.begin()));
    for (size_t depth = path.size(); depth <= token.size(); ++depth) {
      path.push_back(uint32_t(trie_.size()));
      trie_.push_back({.token_begin = position, .depth = uint16_t(depth), .byte = uint8_t(token[depth - 1])});
    }
    if (++trie_[path.back()].n_own == 0) {
      throw Error(ErrorKind::tokenizer, "more than {} tokens are the same bytes", std::numeric_limits<uint16_t>::max());
    }
    previous = token;
  }
  close(0);
  trie_[0].subtree_end = uint32_t(trie_.size());
  trie_.push_back({.token_begin = uint32_t(order_.size())});
  trie_.shrink_to_fit();
}

// Fills in what lies below each node, and where paths are whole characters.
void GrammarVocabulary::describe_trie() {
  struct Open {
    uint32_t node;
    Content below;
  };
  std::unordered_map<uint64_t, uint16_t> numbers;
  contents_.push_back({TokenClasses::kAll, kManyChars});
  const auto number_of = [&](Content content) {
    const uint64_t key = uint64_t(content.n_chars) << 32 | content.classes;
    const auto found = numbers.find(key);
    if (found != numbers.end()) return found->second;
    if (contents_.size() > std::numeric_limits<uint16_t>::max()) return uint16_t(0);
    contents_.push_back(content);
    return numbers[key] = uint16_t(contents_.size() - 1);
  };
  std::vector<Open> path{{0, {}}};
  std::vector<Content> contents;
  const auto close = [&](size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) trie_[path.back().node].below = number_of(path.back().below);
  };
  std::string token;  // the path's bytes
  for (uint32_t node = 1; node + 1 < trie_.size(); ++node) {
    TrieNode& here = trie_[node];
    close(size_t(here.depth) - 1);
    path.push_back({node, {}});
    token.resize(size_t(here.depth) - 1);
    token += char(here.byte);
    // The path as far as the last whole character is known already: judge what comes behind it.
    size_t start = token.size() - 1;
    while (start > 0 && !trie_[path[start].node].ends_character) --start;
    const Utf8Step step = utf8_step(token, start);
    here.ends_character = step.state == Utf8State::complete && start + step.length_bytes == token.size();
    if (here.n_own == 0) continue;
    contents_from(token, contents);
    for (size_t depth = 0; depth < token.size(); ++depth) {
      path[depth].below.classes |= contents[depth].classes;
      path[depth].below.n_chars = std::max(path[depth].below.n_chars, contents[depth].n_chars);
    }
  }
  close(0);
  trie_[0].below = number_of(path[0].below);
}

void GrammarVocabulary::accept(Content content, std::span<uint32_t> mask) const {
  std::vector<const uint32_t*> foreign;
  for (const Plane& plane : planes_) {
    if ((plane.class_bit & content.classes) == 0) foreign.push_back(plane.mask.data());
  }
  const bool is_limited = content.n_chars < max_chars_ || (content.n_chars != kUnbounded && max_chars_ == kManyChars);
  const bool is_short = is_limited && content.n_chars < kLongChars;
  std::vector<uint32_t> found(mask.size());
  // A block at a time, which leaves early what is foreign as a whole.
  const auto keep_own = [&]<size_t n_words>(std::integral_constant<size_t, n_words>, size_t begin) {
    std::array<uint32_t, n_words> left;
    std::copy_n(has_bytes_.data() + begin, n_words, left.data());
    for (const uint32_t* const plane : foreign) {
      uint32_t any = 0;
      for (size_t i = 0; i < n_words; ++i) any |= left[i] &= ~plane[begin + i];
      if (any == 0) break;
    }
    std::copy_n(left.data(), n_words, found.data() + begin);
  };
  size_t begin = 0;
  for (; begin + 8 <= found.size(); begin += 8) keep_own(std::integral_constant<size_t, 8>(), begin);
  for (; begin < found.size(); ++begin) keep_own(std::integral_constant<size_t, 1>(), begin);
  if (is_short) {
    for (size_t word = 0; word < found.size(); ++word) {
      if (found[word] != 0) found[word] &= mask_of_at_most(word, uint8_t(content.n_chars));
    }
  } else if (is_limited) {
    for (const int32_t id : long_ids_) {
      if (content_n_chars_[size_t(id)] <= std::min(content.n_chars, kManyChars - 1)) break;
      found[size_t(id) / 32] &= ~(1u << size_t(id) % 32);
    }
  }
  for (size_t i = 0; i < mask.size(); ++i) mask[i] |= found[i];
}

// Which of the 32 tokens of a word have so many characters at most.
uint32_t GrammarVocabulary::mask_of_at_most(size_t word, uint8_t n_chars) const {
  const size_t first = word * 32, n_ids = std::min<size_t>(32, content_n_chars_.size() - first);
  // Bytes first, which compilers do many of at once, then eight of them to eight bits.
  std::array<uint8_t, 32> fits{};
  for (size_t i = 0; i < n_ids; ++i) fits[i] = content_n_chars_[first + i] <= n_chars;
  uint32_t bits = 0;
  for (size_t i = 0; i < 32; i += 8) {
    uint64_t eight;
    std::memcpy(&eight, fits.data() + i, 8);
    bits |= uint32_t(eight * 0x0102040810204080u >> 56) << i;
  }
  return bits;
}

int64_t GrammarVocabulary::memory_bytes() const {
  int64_t total = int64_t(bytes_.capacity() + byte_begin_.capacity() * sizeof(uint32_t) + content_n_chars_.capacity() +
                          long_ids_.capacity() * sizeof(int32_t) + has_bytes_.capacity() * sizeof(uint32_t) +
                          order_.capacity() * sizeof(int32_t) + trie_.capacity() * sizeof(TrieNode) +
                          contents_.capacity() * sizeof(Content));
  for (const Plane& plane : planes_) total += int64_t(plane.mask.capacity() * sizeof(uint32_t));
  return total;
}

}  // namespace paro::text
