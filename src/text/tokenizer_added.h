// Added tokens: pieces of text that are cut out before the model sees the rest, each with its own id. Found by walking
// a trie from every byte that can start one: leftmost first, then longest, as the added vocabulary of Hugging Face
// does.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/normalizer.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_strings.h"

namespace paro::text {

struct AddedToken {
  int32_t id = 0;
  bool special = false;
  bool normalized = false;  // looked for after normalization, in its normalized form
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
};

// Strings by prefix. A node's children lie side by side, ordered by byte.
class ByteTrie {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  ByteTrie();
  // Distinct strings, none empty, with their values.
  explicit ByteTrie(std::vector<std::pair<std::string_view, uint32_t>> strings);

  struct Match {
    size_t length_bytes = 0;
    uint32_t value = kNone;
  };
  // The longest string that `text` has at `position`.
  Match longest_at(std::string_view text, size_t position) const;
  bool empty() const { return nodes_.empty(); }
  int64_t memory_bytes() const { return int64_t(nodes_.capacity() * sizeof(Node)); }

 private:
  struct Node {
    uint32_t first_child = 0;
    uint32_t value = kNone;
    uint16_t n_children = 0;
    uint8_t byte = 0;
  };
  std::vector<Node> nodes_;
  std::array<uint32_t, 256> roots_;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // `tokens` is the array added_tokens. A token that the vocabulary has keeps that id; others are numbered on from the
  // vocabulary's size, whatever the file says, as Hugging Face does.
  AddedTokens(const JsonNode& tokens, const StringTable& vocab, size_t n_vocab_tokens, const Normalizer& normalizer);

  // A part of a text: an added token, or text between them when id is -1.
  struct Part {
    size_t begin;
    size_t end;
    int32_t id = -1;
  };
  // Cuts `text` at the tokens that are looked for in raw text, or at those looked for in normalized text.
  std::vector<Part> split_raw(std::string_view text) const { return split(text, raw_trie_); }
  std::vector<Part> split_normalized(std::string_view text) const { return split(text, normalized_trie_); }
  bool has_raw() const { return !raw_trie_.empty(); }
  bool has_normalized() const { return !normalized_trie_.empty(); }

  std::optional<int32_t> id_of(std::string_view content) const;

  size_t size() const { return tokens_.size(); }
  const AddedToken& operator[](size_t i) const { return tokens_[i]; }
  // What decoding shows for a token: its normalized form when it is looked for in that form.
  std::string_view shown(size_t i) const { return shown_[i]; }
  // Whether decoding leaves a token with this text out together with the special ones.
  bool is_special_text(std::string_view text) const;

  int64_t memory_bytes() const;

 private:
  std::vector<Part> split(std::string_view text, const ByteTrie& trie) const;

  std::vector<AddedToken> tokens_;
  StringTable contents_;
  StringPool shown_;
  ByteTrie raw_trie_;
  ByteTrie normalized_trie_;
};

}  // namespace paro::text
