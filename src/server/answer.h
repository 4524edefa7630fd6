// From prompts to an answer on the wire: one path for every generating route, streamed or whole. The routes differ in
// their AnswerFormat.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"
#include "server/choice.h"
#include "server/constraints.h"
#include "server/generation_options.h"
#include "server/pace.h"
#include "text/chat_format.h"

namespace paro::server {

class Connection;
struct Service;

// What a format may tell of an answer: its choices, as far as they have come.
struct AnswerState {
  std::string_view model_id;
  std::string_view request_id;
  std::span<const std::vector<int32_t>> prompts;  // token ids; none where the format keeps none
  size_t n_prompt_tokens = 0;                     // of all prompts
  int n_per_prompt = 1;
  std::vector<Choice> choices;
  std::vector<Pace> paces;  // of the choices

  bool finished() const;  // all of them
};

// How an answer looks on the wire. `index` counts the choices from 0.
class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;

  virtual std::unique_ptr<text::ChatParser> make_parser() const = 0;
  virtual bool keeps_tokens() const { return false; }  // pieces have their tokens, asked for logprobs or not
  virtual bool keeps_prompts() const { return false; }

  // Frames of a stream, each a server-sent event with its empty line; none where nothing is to be told.
  virtual std::string opening(const AnswerState& answer) = 0;
  virtual std::string progress(const AnswerState&, size_t /*index*/) { return {}; }  // of prefill, when asked for
  virtual std::string piece(const AnswerState& answer, size_t index, const ChoicePiece& piece) = 0;
  virtual std::string closing(const AnswerState& answer, size_t index, const ChoicePiece& rest) = 0;
  virtual std::string ending(const AnswerState& answer) = 0;
  virtual std::string failure(const AnswerState& answer, const ApiError& error) = 0;  // instead of what is to come
  virtual std::string_view ping() const { return ": keep-alive\n\n"; }

  // The body of a whole answer; `pieces` has each choice's.
  virtual boost::json::value whole(const AnswerState& answer, const std::vector<ChoicePiece>& pieces) = 0;
};

struct AnswerJob {
  std::vector<std::vector<int32_t>> prompts;
  std::string_view prompt_field;  // for messages about its length
  GenerationOptions options;
  MakeConstraint make_constraint;  // for each sequence
};

// Queues the sequences, then answers. Throws what went wrong before or while they ran.
boost::asio::awaitable<void> answer(Connection& connection, const Service& service, AnswerJob job,
                                    AnswerFormat& format);

}  // namespace paro::server
