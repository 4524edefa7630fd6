// The byte-pair model: characters become tokens of the vocabulary, or bytes, or the unknown token, and neighbours are
// merged by rank until nothing joins. A text without word boundaries is no special case: it is cut wherever no merge
// can reach across, and what stays long is merged with a queue, in n log n.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe_merges.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_strings.h"

namespace paro::text {

class Bpe {
 public:
  // Takes vocabulary and merges out of `file`.
  explicit Bpe(TokenizerJson& file);

  const StringTable& vocab() const { return vocab_; }  // by id, with holes
  size_t n_tokens() const { return n_tokens_; }

  // Scratch memory of encode, kept from word to word.
  class Workspace {
   private:
    friend class Bpe;
    struct Symbol {
      uint32_t id;
      uint32_t rank;    // of the merge with the next symbol
      uint32_t result;  // of that merge
      uint32_t previous;
      uint32_t next;
    };
    std::vector<Symbol> symbols;
    std::vector<uint64_t> queue;  // rank << 32 | position
  };

  // Appends the ids of one word of valid UTF-8.
  void encode(std::string_view word, Workspace& workspace, std::vector<int32_t>& ids) const;

  int64_t memory_bytes() const;

 private:
  using Symbol = Workspace::Symbol;
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kDirectCodes = 0x800;

  void read_options(const JsonNode& model);
  void build_vocab(TokenizerJson& file);
  bool byte_ids(std::string_view bytes, std::array<uint32_t, 4>& ids) const;
  uint32_t id_of_char(char32_t code, std::string_view bytes) const;
  void merge_short(std::vector<Symbol>& symbols) const;
  void merge_long(Workspace& workspace) const;
  void flush(Workspace& workspace, std::vector<int32_t>& ids) const;

  StringTable vocab_;
  size_t n_tokens_ = 0;
  BpeMerges merges_;
  std::array<uint32_t, kDirectCodes> id_of_code_{};  // of the first characters of Unicode, kNone where there is none
  std::array<uint32_t, 256> id_of_byte_{};
  std::optional<std::string> unk_token_;
  uint32_t unk_id_ = kNone;
  bool byte_fallback_ = false;
  bool fuse_unk_ = false;
  bool ignore_merges_ = false;
  bool can_cut_ = true;  // bytes and the unknown token take no part in merges
};

}  // namespace paro::text
