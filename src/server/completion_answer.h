// Choices of /completions: plain text, logprobs as parallel arrays.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/choices_answer.h"

namespace paro::server {

class CompletionAnswer : public ChoicesAnswer {
 public:
  // `echoes`: for each choice the text that comes before the model's; none when nothing is echoed.
  CompletionAnswer(const text::Tokenizer& tokenizer, std::vector<std::string> echoes, const GenerationOptions& options)
      : ChoicesAnswer({"cmpl-", "text_completion", "text_completion"}, options, tokenizer),
        tokenizer_(tokenizer),
        echoes_(std::move(echoes)) {}

  std::unique_ptr<text::ChatParser> make_parser() const override { return text::make_plain_parser(tokenizer_); }

 private:
  std::vector<boost::json::object> opening_choices(size_t index) override;
  boost::json::object empty_choice(size_t index) override;
  std::vector<boost::json::object> piece_choices(size_t index, const ChoicePiece& piece) override;
  boost::json::object closing_choice(size_t index, const ChoicePiece& rest, std::string_view finish_reason) override;
  boost::json::object whole_choice(size_t index, const ChoicePiece& all, std::string_view finish_reason) override;

  boost::json::object choice_of(size_t index, std::string_view text, const std::vector<ScoredToken>& scores);
  boost::json::value logprobs(size_t index, const std::vector<ScoredToken>& scores);
  std::string echo(size_t index) const;

  const text::Tokenizer& tokenizer_;
  const std::vector<std::string> echoes_;
  std::map<size_t, int64_t> n_chars_;  // of each choice, told so far, for text_offset
};

}  // namespace paro::server
