// The envelope that /chat/completions and /completions share: chunks and bodies with `choices`, then usage and timings.
#pragma once

#include <boost/json/array.hpp>
#include <cstdint>

#include "server/answer.h"

namespace paro::server {

class ChoicesAnswer : public AnswerFormat {
 public:
  struct Names {
    std::string_view id_prefix;
    std::string_view chunk, whole;  // `object` of a stream's chunks and of a whole answer
  };

  ChoicesAnswer(const Names& names, const GenerationOptions& options, const text::Tokenizer& tokenizer);

  bool keeps_prompts() const override { return verbose_; }
  std::string opening(const AnswerState& answer) override;
  std::string progress(const AnswerState& answer, size_t index) override;
  std::string piece(const AnswerState& answer, size_t index, const ChoicePiece& piece) override;
  std::string closing(const AnswerState& answer, size_t index, const ChoicePiece& rest) override;
  std::string ending(const AnswerState& answer) override;
  std::string failure(const AnswerState& answer, const ApiError& error) override;
  boost::json::value whole(const AnswerState& answer, const std::vector<ChoicePiece>& pieces) override;

 private:
  // Members of `choices`, each sent as one chunk.
  virtual std::vector<boost::json::object> opening_choices(size_t index) = 0;
  virtual boost::json::object empty_choice(size_t index) = 0;
  virtual std::vector<boost::json::object> piece_choices(size_t index, const ChoicePiece& piece) = 0;
  virtual boost::json::object closing_choice(size_t index, const ChoicePiece& rest, std::string_view finish_reason) = 0;
  virtual boost::json::object whole_choice(size_t index, const ChoicePiece& all, std::string_view finish_reason) = 0;

  boost::json::object envelope(const AnswerState& answer, std::string_view object, boost::json::array choices) const;
  boost::json::object chunk(const AnswerState& answer, boost::json::object choice) const;
  std::string frames(const AnswerState& answer, std::vector<boost::json::object> choices) const;
  std::string prompt_text(const AnswerState& answer) const;

  const Names names_;
  const bool include_usage_, timings_per_token_, verbose_;
  const text::Tokenizer& tokenizer_;
  const std::string id_;
  const int64_t created_;
};

}  // namespace paro::server
