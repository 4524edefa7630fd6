// What happens to a text before it is cut into words: replacements, Unicode normalization forms, prefixes, stripping.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/tokenizer_json.h"
#include "text/tokenizer_regex.h"

namespace paro::text {

class Normalizer {
 public:
  Normalizer() = default;
  explicit Normalizer(const JsonNode& node);

  bool is_identity() const { return steps_.empty(); }
  std::string apply(std::string text) const;  // valid UTF-8 in and out
  int64_t memory_bytes() const;

 private:
  enum class Form { nfc, nfd, nfkc, nfkd };
  struct Replace {
    TextPattern pattern;
    std::string content;
  };
  struct Prepend {
    std::string prefix;
  };
  struct Strip {
    bool left;
    bool right;
  };
  struct Lowercase {};
  using Step = std::variant<Form, Replace, Prepend, Strip, Lowercase>;

  void add(const JsonNode& node);
  static std::string to_form(std::string text, Form form);
  static std::string strip(std::string text, const Strip& sides);
  static std::string lowercase(std::string_view text);

  std::vector<Step> steps_;
};

}  // namespace paro::text
