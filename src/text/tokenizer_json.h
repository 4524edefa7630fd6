// Reading a tokenizer.json. Its two large members, model.vocab and model.merges, go straight from the parser into
// pools; the rest, which is small, becomes a JSON value that JsonNode walks with errors that name the member.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_strings.h"

namespace paro::text {

// A JSON value and where it stands. Every accessor throws Error{tokenizer} with the place and what was expected.
class JsonNode {
 public:
  JsonNode(const boost::json::value& value, std::string path) : value_(&value), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  bool is_null() const { return value_->is_null(); }
  bool is_object() const { return value_->is_object(); }

  JsonNode at(std::string_view key) const;                   // a member that must be there
  std::optional<JsonNode> find(std::string_view key) const;  // absent and null are alike
  std::vector<JsonNode> items() const;                       // of an array
  std::string_view text() const;
  char32_t character() const;  // text of exactly one character
  bool flag() const;
  bool flag_or(std::string_view key, bool fallback) const;
  int64_t integer(int64_t minimum, int64_t maximum) const;
  double number() const;

  [[noreturn]] void fail(std::string_view expected) const;
  [[noreturn]] void unsupported(std::string_view what) const;

 private:
  const boost::json::value* value_;
  std::string path_;
};

struct TokenizerJson {
  boost::json::value root;    // vocab and merges are null in it
  StringPool tokens;          // in the order of the file
  std::vector<uint32_t> ids;  // of tokens
  StringPool merges;          // left, right, left, right, ... by rank
  bool has_vocab = false;
  bool has_merges = false;
};

TokenizerJson read_tokenizer_json(std::string_view text);

}  // namespace paro::text
