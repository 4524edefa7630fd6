// Choices of /completions: plain text, logprobs as parallel arrays.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/answer.h"

namespace paro::server {

class CompletionAnswer : public AnswerFormat {
 public:
  // `echoes`: for each choice the text that comes before the model's; none when nothing is echoed.
  CompletionAnswer(const text::Tokenizer& tokenizer, std::vector<std::string> echoes)
      : tokenizer_(tokenizer), echoes_(std::move(echoes)) {}

  std::string_view id_prefix() const override { return "cmpl-"; }
  std::string_view object_name(bool) const override { return "text_completion"; }
  std::unique_ptr<text::ChatParser> make_parser() const override { return text::make_plain_parser(tokenizer_); }

  std::vector<boost::json::object> opening(int index) override;
  std::vector<boost::json::object> piece(int index, const ChoicePiece& piece) override;
  boost::json::object closing(int index, const ChoicePiece& rest, std::string_view finish_reason) override;
  boost::json::object whole(int index, const ChoicePiece& all, std::string_view finish_reason) override;

 private:
  boost::json::object choice_of(int index, std::string_view text, const std::vector<ScoredToken>& scores);
  boost::json::value logprobs(int index, const std::vector<ScoredToken>& scores);
  std::string echo(int index) const;

  const text::Tokenizer& tokenizer_;
  const std::vector<std::string> echoes_;
  std::map<int, int64_t> n_chars_;  // of each choice, told so far, for text_offset
};

}  // namespace paro::server
