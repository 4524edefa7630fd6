// A byte-pair tokenizer as tokenizer.json of Hugging Face describes it: normalizer, pre-tokenizer, BPE model,
// post-processor, decoder and added tokens, for the vocabularies of Gemma, Qwen and Llama.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace paro::text {

class Decoder;
struct DecoderState;

// Constant once read: several threads may encode and decode at once.
class Tokenizer {
 public:
  // Parses the text of a tokenizer.json. Throws Error{tokenizer} naming the member that is missing, of the wrong type
  // or of a kind that is not supported. Its truncation and padding are not applied.
  static Tokenizer from_json(std::string_view json);

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // Ids of `text`. Added tokens are recognised wherever they stand; with add_special_tokens the post-processor's
  // (<bos>) are put around them. Invalid UTF-8 is replaced by U+FFFD as Python's errors="replace" does.
  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens) const;

  // Text of `ids`; special tokens are left out on request. Bytes that are no UTF-8 become U+FFFD.
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  // The bytes that one token adds in the middle of a text, perhaps a part of a UTF-8 sequence. Empty for an unknown id.
  std::string_view token_bytes(int32_t id) const;

  // The id of a token written exactly so in the vocabulary or among the added tokens.
  std::optional<int32_t> token_id(std::string_view token) const;

  bool is_special(int32_t id) const;  // left out by decode on request
  int32_t vocab_size() const;         // largest id + 1, added tokens included
  int64_t memory_bytes() const;       // what the tables hold, for the memory plan

 private:
  friend class StreamDecoder;
  struct Impl;
  const Decoder& decoder() const;
  void decode_token(DecoderState& state, int32_t id, bool skip_special_tokens, std::string& out) const;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace paro::text
