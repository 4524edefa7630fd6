#include "server/choices_answer.h"

#include <utility>

#include "server/event_frame.h"
#include "server/identifiers.h"
#include "server/usage.h"

namespace paro::server {
namespace {

namespace json = boost::json;

constexpr std::string_view kDone = "data: [DONE]\n\n";

}  // namespace

ChoicesAnswer::ChoicesAnswer(const Names& names, const GenerationOptions& options, const text::Tokenizer& tokenizer)
    : names_(names),
      include_usage_(options.include_usage),
      timings_per_token_(options.timings_per_token),
      verbose_(options.verbose),
      tokenizer_(tokenizer),
      id_(random_id(names.id_prefix)),
      created_(seconds_since_1970()) {}

std::string ChoicesAnswer::opening(const AnswerState& answer) {
  std::string text;
  for (size_t i = 0; i < answer.choices.size(); ++i) text += frames(answer, opening_choices(i));
  return text;
}

std::string ChoicesAnswer::piece(const AnswerState& answer, size_t index, const ChoicePiece& piece) {
  if (!timings_per_token_) return frames(answer, piece_choices(index, piece));
  std::string text;
  for (json::object& choice : piece_choices(index, piece)) {
    json::object timed = chunk(answer, std::move(choice));
    timed["timings"] = timings_of(answer.paces[index]);
    text += event_frame(timed);
  }
  return text;
}

std::string ChoicesAnswer::progress(const AnswerState& answer, size_t index) {
  json::object told = chunk(answer, empty_choice(index));
  told["prompt_progress"] = progress_of(answer.paces[index]);
  if (timings_per_token_) told["timings"] = timings_of(answer.paces[index]);
  return event_frame(told);
}

std::string ChoicesAnswer::closing(const AnswerState& answer, size_t index, const ChoicePiece& rest) {
  json::object last = chunk(answer, closing_choice(index, rest, answer.choices[index].finish_reason()));
  if (answer.finished() && !include_usage_) last["timings"] = timings_of(answer.choices);
  if (answer.finished() && verbose_) last["__verbose"] = {{"prompt", prompt_text(answer)}};
  return event_frame(last);
}

std::string ChoicesAnswer::ending(const AnswerState& answer) {
  std::string text;
  if (include_usage_) {
    json::object chunk = envelope(answer, names_.chunk, {});
    chunk["usage"] = usage_of(answer.choices, answer.n_prompt_tokens, answer.n_per_prompt);
    chunk["timings"] = timings_of(answer.choices);
    text = event_frame(chunk);
  }
  text += kDone;
  return text;
}

std::string ChoicesAnswer::failure(const AnswerState&, const ApiError& error) {
  return event_frame(error.body()).append(kDone);
}

json::value ChoicesAnswer::whole(const AnswerState& answer, const std::vector<ChoicePiece>& pieces) {
  json::array choices;
  for (size_t i = 0; i < pieces.size(); ++i)
    choices.emplace_back(whole_choice(i, pieces[i], answer.choices[i].finish_reason()));
  json::object body = envelope(answer, names_.whole, std::move(choices));
  body["usage"] = usage_of(answer.choices, answer.n_prompt_tokens, answer.n_per_prompt);
  body["timings"] = timings_of(answer.choices);
  if (verbose_) body["__verbose"] = {{"prompt", prompt_text(answer)}};
  return body;
}

std::string ChoicesAnswer::prompt_text(const AnswerState& answer) const {
  return tokenizer_.decode(answer.prompts.front(), false);
}

json::object ChoicesAnswer::envelope(const AnswerState& answer, std::string_view object, json::array choices) const {
  json::object envelope;
  envelope["id"] = id_;
  envelope["object"] = object;
  envelope["created"] = created_;
  envelope["model"] = answer.model_id;
  envelope["system_fingerprint"] = kSystemFingerprint;
  envelope["choices"] = std::move(choices);
  return envelope;
}

json::object ChoicesAnswer::chunk(const AnswerState& answer, json::object choice) const {
  json::array choices;
  choices.emplace_back(std::move(choice));
  return envelope(answer, names_.chunk, std::move(choices));
}

std::string ChoicesAnswer::frames(const AnswerState& answer, std::vector<json::object> choices) const {
  std::string text;
  for (json::object& choice : choices) text += event_frame(chunk(answer, std::move(choice)));
  return text;
}

}  // namespace paro::server
