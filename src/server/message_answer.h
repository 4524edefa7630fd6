// Anthropic's message: blocks of thinking, text and tool_use, whole or as a stream of named events.
#pragma once

#include <optional>
#include <string>

#include "server/answer.h"

namespace paro::server {

class MessageAnswer : public AnswerFormat {
 public:
  struct Options {
    text::ParserOptions parser = {};
    bool shows_thinking = true;
    int max_tokens = 0;  // as asked for: an answer that ends below it has filled the context
  };

  MessageAnswer(const text::ChatFormat& format, const text::Tokenizer& tokenizer, Options options);

  std::unique_ptr<text::ChatParser> make_parser() const override {
    return format_.make_parser(tokenizer_, options_.parser);
  }

  std::string opening(const AnswerState& answer) override;
  std::string piece(const AnswerState& answer, size_t index, const ChoicePiece& piece) override;
  std::string closing(const AnswerState& answer, size_t index, const ChoicePiece& rest) override;
  std::string ending(const AnswerState& answer) override;
  std::string failure(const AnswerState& answer, const ApiError& error) override;
  std::string_view ping() const override { return "event: ping\ndata: {\"type\":\"ping\"}\n\n"; }
  boost::json::value whole(const AnswerState& answer, const std::vector<ChoicePiece>& pieces) override;

 private:
  enum class BlockKind { text, thinking, tool_use };

  boost::json::object message(const AnswerState& answer) const;
  boost::json::object stop_of(const Choice& choice) const;
  std::string start_block(BlockKind kind, const std::string& name);
  std::string delta(std::string_view type, std::string_view member, std::string_view text) const;
  std::string stop_block();

  const text::ChatFormat& format_;
  const text::Tokenizer& tokenizer_;
  const Options options_;
  const std::string id_;
  std::optional<BlockKind> open_;  // of the stream
  int64_t n_blocks_ = 0;           // begun
};

}  // namespace paro::server
