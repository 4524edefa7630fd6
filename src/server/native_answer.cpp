#include "server/native_answer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "server/event_frame.h"
#include "server/token_text.h"
#include "server/usage.h"

namespace paro::server {
namespace {

namespace json = boost::json;

std::string text_of(const ChoicePiece& piece) {
  std::string text;
  for (const text::ChatDelta& delta : piece.deltas) text += delta.text;
  return text;
}

json::array ids_of(const std::vector<ScoredToken>& scores) {
  json::array ids;
  for (const ScoredToken& score : scores) ids.emplace_back(score.token.id);
  return ids;
}

std::string_view stop_type(const Choice& choice) {
  if (choice.stopped()) return "word";
  return choice.end().reason == FinishReason::stop ? "eos" : "limit";
}

const std::vector<int32_t>& prompt_of(const AnswerState& answer, size_t index) {
  return answer.prompts[index / static_cast<size_t>(answer.n_per_prompt)];
}

// The member at "a/b"; nullptr where there is none.
const json::value* find_nested(const json::object& object, std::string_view path) {
  const size_t slash = path.find('/');
  const json::value* value = object.if_contains(path.substr(0, slash));
  if (slash == std::string_view::npos || value == nullptr) return value;
  return value->is_object() ? find_nested(value->get_object(), path.substr(slash + 1)) : nullptr;
}

}  // namespace

NativeAnswer::Told& NativeAnswer::told(size_t index) {
  if (told_.size() <= index) told_.resize(index + 1);
  return told_[index];
}

std::string NativeAnswer::progress(const AnswerState& answer, size_t index) {
  json::object object = part(answer, index);
  object["content"] = "";
  object["tokens"] = json::array();
  object["prompt_progress"] = progress_of(answer.paces[index]);
  return event_frame(object);
}

std::string NativeAnswer::piece(const AnswerState& answer, size_t index, const ChoicePiece& piece) {
  if (piece.deltas.empty()) return {};
  const std::string text = text_of(piece);
  Told& sofar = told(index);
  sofar.n_tokens += static_cast<int>(piece.scores.size());
  sofar.has_new_line = sofar.has_new_line || text.find('\n') != std::string::npos;
  json::object object = part(answer, index);
  object["content"] = text;
  object["tokens"] = ids_of(piece.scores);
  object["tokens_predicted"] = sofar.n_tokens;
  if (tells_probabilities()) object["completion_probabilities"] = probabilities(piece.scores);
  return event_frame(object);
}

std::string NativeAnswer::closing(const AnswerState& answer, size_t index, const ChoicePiece& rest) {
  return event_frame(chosen_fields(last(answer, index, "", ids_of(rest.scores))));
}

std::string NativeAnswer::failure(const AnswerState&, const ApiError& error) { return event_frame(error.body()); }

json::value NativeAnswer::whole(const AnswerState& answer, const std::vector<ChoicePiece>& pieces) {
  json::array objects;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string text = text_of(pieces[i]);
    told(i).has_new_line = text.find('\n') != std::string::npos;
    json::array ids = options_.return_tokens ? ids_of(pieces[i].scores) : json::array();
    json::object object = last(answer, i, text, std::move(ids));
    if (tells_probabilities()) object["completion_probabilities"] = probabilities(pieces[i].scores);
    objects.emplace_back(chosen_fields(std::move(object)));
  }
  if (!is_list_ && objects.size() == 1) return std::move(objects.front());
  return objects;
}

// What every object of a stream but the last has.
json::object NativeAnswer::part(const AnswerState& answer, size_t index) const {
  json::object object;
  object["index"] = index;
  object["stop"] = false;
  object["id_slot"] = -1;
  object["tokens_predicted"] = 0;
  object["tokens_evaluated"] = prompt_of(answer, index).size();
  if (options_.generation.timings_per_token) object["timings"] = timings_of(answer.paces[index]);
  return object;
}

json::object NativeAnswer::last(const AnswerState& answer, size_t index, std::string_view content, json::array tokens) {
  const Choice& choice = answer.choices[index];
  const std::vector<int32_t>& prompt = prompt_of(answer, index);
  const int n_held = static_cast<int>(prompt.size()) + choice.n_tokens();
  const std::string_view type = stop_type(choice);
  json::object object;
  object["index"] = index;
  object["content"] = content;
  object["tokens"] = std::move(tokens);
  object["id_slot"] = -1;  // sequences have no place that a client could ask for
  object["stop"] = true;
  object["model"] = answer.model_id;
  object["tokens_predicted"] = choice.n_tokens();
  object["tokens_evaluated"] = prompt.size();
  object["generation_settings"] = generation_settings(options_);
  object["prompt"] = tokenizer_.decode(prompt, false);
  object["has_new_line"] = told(index).has_new_line;
  object["truncated"] = type == "limit" && n_held >= max_context_;
  object["stop_type"] = type;
  object["stopping_word"] = choice.stop_string();
  object["tokens_cached"] = n_held;
  object["timings"] = timings_of({&choice, 1});
  return object;
}

json::object NativeAnswer::chosen_fields(json::object object) const {
  if (options_.response_fields.empty()) return object;
  json::object chosen;
  for (const std::string& path : options_.response_fields)
    if (const json::value* value = find_nested(object, path)) chosen[path] = *value;
  return chosen;
}

json::array NativeAnswer::probabilities(const std::vector<ScoredToken>& scores) const {
  const bool as_probs = options_.post_sampling_probs;
  const auto entry_of = [&](int32_t id, float logprob) {
    json::object entry;
    entry["id"] = id;
    entry["token"] = token_text(tokenizer_, id);
    entry["bytes"] = token_bytes(tokenizer_, id);
    entry[as_probs ? "prob" : "logprob"] = as_probs ? std::exp(static_cast<double>(logprob)) : finite_logprob(logprob);
    return entry;
  };
  json::array list;
  for (const ScoredToken& score : scores) {
    json::object entry = entry_of(score.token.id, score.token.logprob);
    json::array best;
    for (const TokenLogprob& other : score.token.best) best.emplace_back(entry_of(other.id, other.logprob));
    entry[as_probs ? "top_probs" : "top_logprobs"] = std::move(best);
    list.emplace_back(std::move(entry));
  }
  return list;
}

}  // namespace paro::server
