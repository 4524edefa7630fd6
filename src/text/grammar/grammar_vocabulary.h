// A tokenizer's tokens as grammars see them: a trie over the bytes of all that are not special, with what is needed to
// accept large parts of it at once. Built once per model, constant then.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace paro::text {

class GrammarVocabulary {
 public:
  struct Token {
    std::string_view bytes;  // empty: reached by id alone
    bool is_special = false;
  };

  static constexpr uint32_t kManyChars = 255;  // so many or more
  static constexpr uint32_t kUnbounded = UINT32_MAX;

  // What texts are made of: their classes (TokenClasses) and the most characters that one of them has.
  struct Content {
    uint32_t classes = 0;
    uint32_t n_chars = 0;
    bool operator==(const Content&) const = default;
  };

  // In the order of a depth-first walk; the root is node 0, with depth 0.
  struct TrieNode {
    uint32_t subtree_end = 0;  // the node after the last one below
    uint32_t token_begin = 0;  // of tokens_in_order(); those below end where subtree_end's begin
    uint16_t n_own = 0;        // tokens that end here
    uint16_t below = 0;        // contents_below()
    uint16_t depth = 0;
    uint8_t byte = 0;
    bool ends_character = false;  // the path is whole characters
  };

  // `tokens` by id; `stop_ids` end an answer where the grammar lets it end.
  GrammarVocabulary(std::span<const Token> tokens, std::span<const int32_t> stop_ids);

  // vocab_size: the model's, which may exceed the tokenizer's; ids beyond are never allowed.
  static GrammarVocabulary from_tokenizer(const Tokenizer& tokenizer, std::span<const int32_t> stop_ids,
                                          int32_t vocab_size);

  int32_t vocab_size() const { return int32_t(content_n_chars_.size()); }
  size_t mask_words() const { return has_bytes_.size(); }
  int64_t memory_bytes() const;

  std::string_view bytes(int32_t id) const {  // none for special tokens
    return std::string_view(bytes_).substr(byte_begin_[size_t(id)],
                                           byte_begin_[size_t(id) + 1] - byte_begin_[size_t(id)]);
  }
  std::span<const int32_t> stop_ids() const { return stop_ids_; }
  uint32_t max_token_bytes() const { return max_bytes_; }
  uint32_t max_token_chars() const { return max_chars_; }  // at most kManyChars

  std::span<const TrieNode> trie() const { return {trie_.data(), trie_.size() - 1}; }
  std::span<const int32_t> tokens_below(const TrieNode& node) const {
    const uint32_t begin = node.token_begin + node.n_own;
    return {order_.data() + begin, trie_[node.subtree_end].token_begin - begin};
  }
  std::span<const int32_t> tokens_of(const TrieNode& node) const {
    return {order_.data() + node.token_begin, node.n_own};
  }
  // What follows the node in the tokens below it.
  Content content_below(const TrieNode& node) const { return contents_[node.below]; }

  // [mask_words()] Which tokens have bytes, as special ones have not.
  std::span<const uint32_t> with_bytes() const { return has_bytes_; }

  // Sets the bits of those of them that are made of no more than `content`, whose n_chars may be kUnbounded.
  void accept(Content content, std::span<uint32_t> mask) const;

 private:
  struct Plane {
    uint32_t class_bit;
    std::vector<uint32_t> mask;  // of the tokens that have characters of the class
  };

  void build_planes(std::span<const uint32_t> content_classes);
  void build_trie();
  void describe_trie();
  uint32_t mask_of_at_most(size_t word, uint8_t n_chars) const;

  std::string bytes_;
  std::vector<uint32_t> byte_begin_;      // [vocab_size + 1]
  std::vector<Plane> planes_;             // of the classes that there are, the one of most tokens first
  std::vector<uint8_t> content_n_chars_;  // [vocab_size], at most kManyChars
  std::vector<int32_t> long_ids_;         // of more than kLongChars, the longest first
  std::vector<uint32_t> has_bytes_;       // [mask_words]
  std::vector<int32_t> stop_ids_;
  std::vector<int32_t> order_;     // ids by their bytes
  std::vector<TrieNode> trie_;     // and one beyond
  std::vector<Content> contents_;  // [0]: unknown, that is anything
  uint32_t max_chars_ = 0;         // of one token, at most kManyChars
  uint32_t max_bytes_ = 0;
};

}  // namespace paro::text
