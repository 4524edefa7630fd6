// The patterns of a tokenizer.json: a literal string, or a regular expression in the dialect of Oniguruma that Hugging
// Face tokenizers uses. Expressions are rewritten for PCRE2, compiled with its JIT, and refused where the two dialects
// cannot be brought together.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_json.h"

namespace paro::text {

// A part of a text that a pattern matched, or that lies between its matches.
struct Segment {
  size_t begin;
  size_t end;
  bool is_match;
};

class TextPattern {
 public:
  // {"String": ...} or {"Regex": ...}
  static TextPattern from_json(const JsonNode& node);
  static TextPattern literal(std::string text);  // not empty
  static TextPattern regex(std::string_view expression, const std::string& where);

  ~TextPattern();
  TextPattern(TextPattern&&) noexcept;
  TextPattern& operator=(TextPattern&&) noexcept;

  // Cuts valid UTF-8 into segments that cover it, in order. Throws Error{tokenizer} when the expression needs more
  // steps than its limit.
  void split(std::string_view text, std::vector<Segment>& segments) const;

  // `text` with `replacement` for every match.
  std::string replace(std::string_view text, std::string_view replacement) const;

  int64_t memory_bytes() const;

 private:
  struct Compiled;
  explicit TextPattern(std::string literal);
  explicit TextPattern(std::unique_ptr<Compiled> compiled);

  std::string literal_;
  std::unique_ptr<Compiled> compiled_;  // null for a literal
};

}  // namespace paro::text
