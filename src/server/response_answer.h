// OpenAI's response: items of reasoning, text and function calls, whole or as a stream of named, numbered events.
#pragma once

#include <cstdint>
#include <string>

#include "server/answer.h"
#include "server/response_items.h"

namespace paro::server {

class ResponseAnswer : public AnswerFormat {
 public:
  struct Options {
    text::ParserOptions parser = {};
    bool summarizes_thoughts = false;
  };

  // `repeated`: members of the request that the response has too.
  ResponseAnswer(const text::ChatFormat& format, const text::Tokenizer& tokenizer, Options options,
                 boost::json::object repeated);

  std::unique_ptr<text::ChatParser> make_parser() const override {
    return format_.make_parser(tokenizer_, options_.parser);
  }

  std::string opening(const AnswerState& answer) override;
  std::string piece(const AnswerState& answer, size_t index, const ChoicePiece& piece) override;
  std::string closing(const AnswerState& answer, size_t index, const ChoicePiece& rest) override;
  std::string ending(const AnswerState& answer) override;
  std::string failure(const AnswerState& answer, const ApiError& error) override;
  boost::json::object whole(const AnswerState& answer, const std::vector<ChoicePiece>& pieces) override;

 private:
  std::string start_item(ResponseItem::Kind kind, const std::string& name);
  std::string add_text(const std::string& text, boost::json::array logprobs);
  std::string end_item(std::string_view status);
  boost::json::array take_logprobs(const ChoicePiece& piece, size_t& n_taken, size_t end_bytes,
                                   std::string_view text) const;
  bool is_open(ResponseItem::Kind kind) const { return open_ && items_.back().kind == kind; }

  boost::json::object response(const AnswerState& answer, std::string_view status) const;
  boost::json::object finished_response(const AnswerState& answer) const;
  std::string event(std::string_view type, boost::json::object members);
  std::string response_event(std::string_view type, boost::json::object response);
  std::string item_event(std::string_view type, boost::json::object members);

  const text::ChatFormat& format_;
  const text::Tokenizer& tokenizer_;
  const Options options_;
  const boost::json::object repeated_;
  const std::string id_;
  const int64_t created_;
  std::vector<ResponseItem> items_;
  bool open_ = false;      // the last of them
  size_t told_bytes_ = 0;  // of all text
  int64_t n_events_ = 0;
};

}  // namespace paro::server
