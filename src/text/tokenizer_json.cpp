#include "text/tokenizer_json.h"

#include <fmt/format.h>

#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

#include "base/error.h"
#include "text/utf8.h"

namespace paro::text {

namespace json = boost::json;

namespace {

std::string_view kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
  }
  return "a value";
}

std::string_view view(json::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void JsonNode::fail(std::string_view expected) const {
  std::string got(kind_name(*value_));
  if (const auto* text = value_->if_string(); text != nullptr && text->size() < 64)
    got = fmt::format("'{}'", view(*text));
  throw Error(ErrorKind::tokenizer, "tokenizer.json: {}: expected {}, got {}", path_, expected, got);
}

void JsonNode::unsupported(std::string_view what) const {
  throw Error(ErrorKind::tokenizer, "tokenizer.json: {}: {} is not supported", path_, what);
}

JsonNode JsonNode::at(std::string_view key) const {
  const auto* object = value_->if_object();
  if (object == nullptr) fail("an object");
  const auto* member = object->if_contains({key.data(), key.size()});
  if (member == nullptr) throw Error(ErrorKind::tokenizer, "tokenizer.json: {}: member '{}' is missing", path_, key);
  return {*member, fmt::format("{}.{}", path_, key)};
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  const auto* object = value_->if_object();
  if (object == nullptr) fail("an object");
  const auto* member = object->if_contains({key.data(), key.size()});
  if (member == nullptr || member->is_null()) return std::nullopt;
  return JsonNode(*member, fmt::format("{}.{}", path_, key));
}

std::vector<JsonNode> JsonNode::items() const {
  const auto* array = value_->if_array();
  if (array == nullptr) fail("an array");
  std::vector<JsonNode> nodes;
  nodes.reserve(array->size());
  for (size_t i = 0; i < array->size(); ++i) nodes.emplace_back((*array)[i], fmt::format("{}[{}]", path_, i));
  return nodes;
}

std::string_view JsonNode::text() const {
  const auto* string = value_->if_string();
  if (string == nullptr) fail("a string");
  return view(*string);
}

char32_t JsonNode::character() const {
  const std::string_view string = text();
  if (string.empty() || utf8_char(string, 0).length_bytes != string.size()) fail("a single character");
  return utf8_char(string, 0).code;
}

bool JsonNode::flag() const {
  const bool* boolean = value_->if_bool();
  if (boolean == nullptr) fail("true or false");
  return *boolean;
}

bool JsonNode::flag_or(std::string_view key, bool fallback) const {
  const auto member = find(key);
  return member ? member->flag() : fallback;
}

int64_t JsonNode::integer(int64_t minimum, int64_t maximum) const {
  const int64_t* integer = value_->if_int64();
  if (integer == nullptr || *integer < minimum || *integer > maximum) {
    fail(fmt::format("an integer from {} to {}", minimum, maximum));
  }
  return *integer;
}

double JsonNode::number() const {
  if (!value_->is_number()) fail("a number");
  return value_->to_number<double>();
}

namespace {

// Receives the parser's events. Members are told apart by the keys of the two outermost objects.
class Handler {
 public:
  static constexpr size_t max_object_size = size_t(-1);
  static constexpr size_t max_array_size = size_t(-1);
  static constexpr size_t max_key_size = size_t(-1);
  static constexpr size_t max_string_size = size_t(-1);

  using Code = json::error_code;

  bool on_document_begin(Code&) {
    stack_.reset();
    return true;
  }
  bool on_document_end(Code&) { return true; }

  bool on_object_begin(Code&) {
    if (mode_ != Mode::rest) bulk_type_error("an object");
    if (depth_ == 2 && keys_[1] == "model" && keys_[2] == "vocab") {
      mode_ = Mode::vocab;
      out.has_vocab = true;
    }
    enter();
    return true;
  }

  bool on_object_end(size_t n, Code&) {
    leave();
    if (mode_ == Mode::vocab) {
      mode_ = Mode::rest;
      stack_.push_null();
    } else {
      stack_.push_object(n);
    }
    return true;
  }

  bool on_array_begin(Code&) {
    if (mode_ == Mode::merges && depth_ == 3) {
      n_in_pair_ = 0;
    } else if (mode_ != Mode::rest) {
      bulk_type_error("an array");
    } else if (depth_ == 2 && keys_[1] == "model" && keys_[2] == "merges") {
      mode_ = Mode::merges;
      out.has_merges = true;
    }
    enter();
    return true;
  }

  bool on_array_end(size_t n, Code&) {
    leave();
    if (mode_ == Mode::rest) {
      stack_.push_array(n);
    } else if (depth_ == 3) {
      if (n_in_pair_ != 2) bulk_type_error(fmt::format("an array of {}", n_in_pair_));
    } else {
      mode_ = Mode::rest;
      stack_.push_null();
    }
    return true;
  }

  bool on_key_part(json::string_view part, size_t, Code&) {
    text_ += view(part);
    return true;
  }

  bool on_key(json::string_view part, size_t, Code&) {
    text_ += view(part);
    if (mode_ == Mode::rest) {
      if (depth_ <= 2) keys_[depth_] = text_;
      stack_.push_key(text_);
      text_.clear();
    }
    return true;  // a key of the vocabulary stays in text_ until its id comes
  }

  bool on_string_part(json::string_view part, size_t, Code&) {
    if (mode_ != Mode::merges) {
      if (mode_ == Mode::vocab) bulk_type_error("a string");
      stack_.push_chars(part);
    } else {
      text_ += view(part);
    }
    return true;
  }

  bool on_string(json::string_view part, size_t, Code&) {
    if (mode_ == Mode::rest) {
      stack_.push_string(part);
      return true;
    }
    if (mode_ == Mode::vocab) bulk_type_error("a string");
    text_ += view(part);
    if (depth_ == 3) {
      add_merge_line();
    } else {
      ++n_in_pair_;
      out.merges.append(text_);
    }
    text_.clear();
    return true;
  }

  bool on_number_part(json::string_view, Code&) { return true; }

  bool on_int64(int64_t number, json::string_view, Code&) {
    if (mode_ == Mode::rest) {
      stack_.push_int64(number);
    } else {
      add_token(number < 0 ? UINT64_MAX : uint64_t(number));
    }
    return true;
  }

  bool on_uint64(uint64_t number, json::string_view, Code&) {
    if (mode_ == Mode::rest) {
      stack_.push_uint64(number);
    } else {
      add_token(number);
    }
    return true;
  }

  bool on_double(double number, json::string_view, Code&) {
    if (mode_ != Mode::rest) bulk_type_error("a number that is no integer");
    stack_.push_double(number);
    return true;
  }

  bool on_bool(bool boolean, Code&) {
    if (mode_ != Mode::rest) bulk_type_error("a boolean");
    stack_.push_bool(boolean);
    return true;
  }

  bool on_null(Code&) {
    if (mode_ != Mode::rest) bulk_type_error("null");
    stack_.push_null();
    return true;
  }

  bool on_comment_part(json::string_view, Code&) { return true; }
  bool on_comment(json::string_view, Code&) { return true; }

  void finish() { out.root = stack_.release(); }

  TokenizerJson out;

 private:
  enum class Mode { rest, vocab, merges };

  void enter() {
    ++depth_;
    if (depth_ <= 2) keys_[depth_].clear();
  }
  void leave() { --depth_; }

  [[noreturn]] void bulk_type_error(std::string_view got) const {
    if (mode_ == Mode::vocab) {
      throw Error(ErrorKind::tokenizer, "tokenizer.json: model.vocab: expected an id for token '{}', got {}", text_,
                  got);
    }
    throw Error(ErrorKind::tokenizer, "tokenizer.json: model.merges[{}]: expected two strings, got {}",
                out.merges.size() / 2, got);
  }

  void add_token(uint64_t id) {
    if (mode_ != Mode::vocab) bulk_type_error("a number");
    // No vocabulary comes near; the bound keeps tables indexed by id small.
    if (id >= 1u << 24) bulk_type_error("a number that is no id");
    out.tokens.append(text_);
    out.ids.push_back(uint32_t(id));
    text_.clear();
  }

  // The older form of a merge, "left right".
  void add_merge_line() {
    if (text_.starts_with("#version")) return;
    const size_t space = text_.find(' ');
    if (space == std::string::npos || text_.find(' ', space + 1) != std::string::npos) {
      bulk_type_error(fmt::format("'{}'", text_));
    }
    out.merges.append(std::string_view(text_).substr(0, space));
    out.merges.append(std::string_view(text_).substr(space + 1));
  }

  json::value_stack stack_;
  std::string text_;
  std::array<std::string, 3> keys_;
  size_t depth_ = 0;
  size_t n_in_pair_ = 0;
  Mode mode_ = Mode::rest;
};

}  // namespace

TokenizerJson read_tokenizer_json(std::string_view text) {
  json::basic_parser<Handler> parser{json::parse_options{}};
  json::error_code code;
  const size_t end = parser.write_some(false, text.data(), text.size(), code);
  if (!code && end < text.size()) code = json::error::extra_data;
  if (code) {
    throw Error(ErrorKind::tokenizer, "tokenizer.json is no JSON: {} at byte {} of {}", code.message(), end,
                text.size());
  }
  parser.handler().finish();
  return std::move(parser.handler().out);
}

}  // namespace paro::text
