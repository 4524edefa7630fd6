// An answer as a parser tells it, joined; and a tokenizer with a token for each letter, for notations whose model is
// not at hand.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "text/call_reader.h"
#include "text/chat_format.h"

namespace paro::text {

struct ParsedCall {
  std::string name, arguments;
  bool is_complete = false;
  int n_pieces = 0;  // of the arguments

  bool operator==(const ParsedCall& other) const {
    return name == other.name && arguments == other.arguments && is_complete == other.is_complete;
  }
};

struct ParsedAnswer {
  std::string content, reasoning;
  std::vector<ParsedCall> calls;

  void take(const std::vector<ChatDelta>& deltas) {
    for (const ChatDelta& delta : deltas) {
      switch (delta.kind) {
        case ChatDelta::Kind::content:
        case ChatDelta::Kind::reasoning:
          EXPECT_FALSE(in_call_);
          EXPECT_NE(delta.text, "");
          (delta.kind == ChatDelta::Kind::content ? content : reasoning) += delta.text;
          break;
        case ChatDelta::Kind::call_started:
          EXPECT_FALSE(in_call_);
          in_call_ = true;
          calls.push_back({delta.text, "", false, 0});
          break;
        case ChatDelta::Kind::call_arguments:
          ASSERT_TRUE(in_call_);
          calls.back().arguments += delta.text;
          ++calls.back().n_pieces;
          break;
        case ChatDelta::Kind::call_ended:
          ASSERT_TRUE(in_call_);
          in_call_ = false;
          calls.back().is_complete = delta.is_complete;
          EXPECT_TRUE(boost::json::parse(calls.back().arguments).is_object()) << calls.back().arguments;
          break;
      }
    }
  }
  void end() { EXPECT_FALSE(in_call_); }

 private:
  bool in_call_ = false;
};

inline ParsedAnswer parse(ChatParser& parser, const std::vector<int32_t>& ids) {
  ParsedAnswer answer;
  for (const int32_t id : ids) answer.take(parser.push(id));
  answer.take(parser.finish());
  answer.end();
  return answer;
}

// What a reader tells of `text` must not depend on where it is cut.
template <typename MakeReader>
ParsedAnswer read_call(MakeReader make_reader, std::string_view text, Ending ending = Ending::closed) {
  const auto read = [&](std::vector<std::string_view> pieces) {
    const auto reader = make_reader();
    ParsedAnswer answer;
    std::vector<ChatDelta> deltas;
    for (const std::string_view piece : pieces) reader->push(piece, deltas);
    reader->finish(ending, deltas);
    answer.take(deltas);
    answer.end();
    return answer;
  };
  ParsedAnswer whole = read({text});
  std::vector<std::string_view> letters;
  const auto same = [&](const ParsedAnswer& other) {
    EXPECT_EQ(other.content, whole.content) << text;
    EXPECT_EQ(other.calls, whole.calls) << text;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    letters.push_back(text.substr(i, 1));
    same(read({text.substr(0, i), text.substr(i)}));
  }
  same(read(letters));
  return whole;
}

// Letters of ASCII, and `markers`, which are not special where `show_markers`.
inline Tokenizer letter_tokenizer(const std::vector<std::string_view>& markers, bool show_markers = false) {
  boost::json::object vocab;
  for (int id = 0; id < 128; ++id) vocab[std::string(1, static_cast<char>(id))] = id;
  boost::json::array added;
  for (size_t i = 0; i < markers.size(); ++i) {
    added.push_back({{"id", 128 + i},
                     {"content", markers[i]},
                     {"special", !show_markers},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false}});
  }
  return Tokenizer::from_json(boost::json::serialize(
      boost::json::object{{"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", boost::json::array()}}},
                          {"added_tokens", added},
                          {"normalizer", nullptr},
                          {"pre_tokenizer", nullptr},
                          {"post_processor", nullptr},
                          {"decoder", {{"type", "Fuse"}}}}));
}

}  // namespace paro::text
