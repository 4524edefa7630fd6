// Answers of /completion as llama.cpp's clients read them: one flat object for each choice, and what a stream sends
// before the last has `stop` false. A stream ends with its last object, without [DONE].
#pragma once

#include <vector>

#include "server/answer.h"
#include "server/native_options.h"

namespace paro::server {

class NativeAnswer : public AnswerFormat {
 public:
  // `is_list`: a whole answer is a list, even of one.
  NativeAnswer(const text::Tokenizer& tokenizer, NativeOptions options, bool is_list, int max_context)
      : tokenizer_(tokenizer), options_(std::move(options)), is_list_(is_list), max_context_(max_context) {}

  std::unique_ptr<text::ChatParser> make_parser() const override { return text::make_plain_parser(tokenizer_); }
  bool keeps_tokens() const override { return true; }
  bool keeps_prompts() const override { return true; }

  std::string opening(const AnswerState&) override { return {}; }
  std::string progress(const AnswerState& answer, size_t index) override;
  std::string piece(const AnswerState& answer, size_t index, const ChoicePiece& piece) override;
  std::string closing(const AnswerState& answer, size_t index, const ChoicePiece& rest) override;
  std::string ending(const AnswerState&) override { return {}; }
  std::string failure(const AnswerState& answer, const ApiError& error) override;
  boost::json::value whole(const AnswerState& answer, const std::vector<ChoicePiece>& pieces) override;

 private:
  struct Told {
    int n_tokens = 0;
    bool has_new_line = false;
  };

  Told& told(size_t index);
  boost::json::object part(const AnswerState& answer, size_t index) const;
  boost::json::object last(const AnswerState& answer, size_t index, std::string_view content,
                           boost::json::array tokens);
  boost::json::object chosen_fields(boost::json::object object) const;
  boost::json::array probabilities(const std::vector<ScoredToken>& scores) const;
  bool tells_probabilities() const { return options_.generation.sampling.n_logprobs >= 0; }

  const text::Tokenizer& tokenizer_;
  const NativeOptions options_;
  const bool is_list_;
  const int max_context_;
  std::vector<Told> told_;  // of each choice
};

}  // namespace paro::server
