// Choices of /chat/completions: messages and deltas with content, reasoning_content and tool_calls.
#pragma once

#include <utility>

#include "server/choices_answer.h"

namespace paro::server {

class ChatAnswer : public ChoicesAnswer {
 public:
  struct Options {
    text::ParserOptions parser = {};
    bool names_function = false;  // tool_choice does: an answer that called it ends with `stop`
  };

  ChatAnswer(const text::ChatFormat& format, const text::Tokenizer& tokenizer, Options options,
             const GenerationOptions& generation)
      : ChoicesAnswer({"chatcmpl-", "chat.completion.chunk", "chat.completion"}, generation, tokenizer),
        format_(format),
        tokenizer_(tokenizer),
        options_(std::move(options)) {}

  std::unique_ptr<text::ChatParser> make_parser() const override {
    return format_.make_parser(tokenizer_, options_.parser);
  }

 private:
  std::vector<boost::json::object> opening_choices(size_t index) override;
  boost::json::object empty_choice(size_t index) override;
  std::vector<boost::json::object> piece_choices(size_t index, const ChoicePiece& piece) override;
  boost::json::object closing_choice(size_t index, const ChoicePiece& rest, std::string_view finish_reason) override;
  boost::json::object whole_choice(size_t index, const ChoicePiece& all, std::string_view finish_reason) override;

  std::string_view told_reason(std::string_view finish_reason) const {
    return options_.names_function && finish_reason == "tool_calls" ? "stop" : finish_reason;
  }
  boost::json::value logprobs(const std::vector<ScoredToken>& scores) const;
  boost::json::object delta_choice(size_t index, boost::json::object delta,
                                   const std::vector<ScoredToken>& scores) const;

  const text::ChatFormat& format_;
  const text::Tokenizer& tokenizer_;
  const Options options_;
  std::vector<int> n_calls_;  // started so far, of each choice
};

}  // namespace paro::server
