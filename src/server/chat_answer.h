// Choices of /chat/completions: messages and deltas with content, reasoning_content and tool_calls.
#pragma once

#include <utility>

#include "server/answer.h"

namespace paro::server {

class ChatAnswer : public AnswerFormat {
 public:
  ChatAnswer(const text::ChatFormat& format, const text::Tokenizer& tokenizer, text::ParserOptions parser_options)
      : format_(format), tokenizer_(tokenizer), parser_options_(std::move(parser_options)) {}

  std::string_view id_prefix() const override { return "chatcmpl-"; }
  std::string_view object_name(bool is_chunk) const override {
    return is_chunk ? "chat.completion.chunk" : "chat.completion";
  }
  std::unique_ptr<text::ChatParser> make_parser() const override {
    return format_.make_parser(tokenizer_, parser_options_);
  }

  std::vector<boost::json::object> opening(int index) override;
  std::vector<boost::json::object> piece(int index, const ChoicePiece& piece) override;
  boost::json::object closing(int index, const ChoicePiece& rest, std::string_view finish_reason) override;
  boost::json::object whole(int index, const ChoicePiece& all, std::string_view finish_reason) override;

 private:
  boost::json::value logprobs(const std::vector<ScoredToken>& scores) const;
  boost::json::object delta_choice(int index, boost::json::object delta, const std::vector<ScoredToken>& scores) const;

  const text::ChatFormat& format_;
  const text::Tokenizer& tokenizer_;
  const text::ParserOptions parser_options_;
  std::vector<int> n_calls_;  // started so far, of each choice
};

}  // namespace paro::server
