// The way back from tokens to text, as the decoder of a tokenizer.json describes it. A chain of decoders is sorted into
// what happens to each token by itself, how tokens are joined, and what is stripped from the joined text; that makes it
// run token by token, so that decoding all at once and streaming are the same code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/tokenizer_json.h"
#include "text/tokenizer_regex.h"

namespace paro::text {

// What is known of the text between two tokens.
struct DecoderState {
  struct Strip {
    size_t start_left;
    size_t n_held = 0;  // characters at the end that go if the text ends here
  };
  bool has_token = false;   // a token has come in
  bool has_output = false;  // a token has come out of byte fallback
  std::string byte_run;     // byte tokens whose run goes on
  std::string incomplete;   // the start of a UTF-8 sequence
  std::vector<Strip> strips;
};

class Decoder {
 public:
  Decoder() : join_(Join::spaces) {}
  explicit Decoder(const JsonNode& node) { add(node); }

  // What a token is in the middle of a text: its bytes, and whether it is one byte of a run.
  struct Form {
    std::string bytes;
    bool is_byte = false;
  };
  Form form_of(std::string_view token) const;

  DecoderState start() const;
  // Appends to `out` what becomes certain. `form_bytes` and `is_byte` are form_of(token).
  void push(DecoderState& state, std::string_view token, std::string_view form_bytes, bool is_byte,
            std::string& out) const;
  void finish(DecoderState& state, std::string& out) const;

  int64_t memory_bytes() const;

 private:
  struct Replace {
    TextPattern pattern;
    std::string content;
  };
  struct Strip {
    std::string content;  // one character
    size_t start;
    size_t stop;
  };
  struct Metaspace {
    std::string replacement;
    bool drops_first;  // in the first token it stands for nothing, elsewhere for a space
  };
  using Step = std::variant<Replace, Strip, Metaspace>;
  enum class Join { concatenate, byte_level, spaces };

  void add(const JsonNode& node);
  static Strip read_strip(const JsonNode& node);
  static Metaspace read_metaspace(const JsonNode& node);
  static std::string apply(const std::vector<Step>& steps, std::string token, bool is_first);
  std::optional<char> byte_of(std::string_view token) const;
  void end_byte_run(DecoderState& state, std::string& out) const;
  void push_token(DecoderState& state, std::string token, std::string& out) const;
  void push_bytes(DecoderState& state, std::string_view bytes, std::string& out) const;
  void push_text(DecoderState& state, std::string_view text, std::string& out) const;
  static std::string strip_joined(const Strip& step, DecoderState::Strip& state, std::string_view text);

  std::vector<Step> before_bytes_;  // before byte fallback
  std::vector<Step> after_bytes_;
  std::vector<Strip> strips_;  // of the joined text
  Join join_ = Join::concatenate;
  bool is_joined_ = false;
  bool byte_fallback_ = false;
  bool first_differs_ = false;
};

}  // namespace paro::text
