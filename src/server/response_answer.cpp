#include "server/response_answer.h"

#include <utility>

#include "server/event_frame.h"
#include "server/identifiers.h"
#include "server/logprob_entries.h"

namespace paro::server {
namespace {

namespace json = boost::json;
using Kind = text::ChatDelta::Kind;
using ItemKind = ResponseItem::Kind;

std::string_view status_of(const Choice& choice) {
  return choice.finish_reason() == "length" ? "incomplete" : "completed";
}

json::object usage_of(const AnswerState& answer) {
  const Choice& choice = answer.choices.front();
  json::object usage;
  usage["input_tokens"] = answer.n_prompt_tokens;
  usage["input_tokens_details"] = {{"cached_tokens", choice.end().n_cached_tokens}, {"cache_write_tokens", 0}};
  usage["output_tokens"] = choice.n_tokens();
  usage["output_tokens_details"] = {{"reasoning_tokens", choice.n_reasoning_tokens()}};
  usage["total_tokens"] = static_cast<int64_t>(answer.n_prompt_tokens) + choice.n_tokens();
  return usage;
}

}  // namespace

ResponseAnswer::ResponseAnswer(const text::ChatFormat& format, const text::Tokenizer& tokenizer, Options options,
                               json::object repeated)
    : format_(format),
      tokenizer_(tokenizer),
      options_(std::move(options)),
      repeated_(std::move(repeated)),
      id_(random_id("resp_")),
      created_(seconds_since_1970()) {}

std::string ResponseAnswer::opening(const AnswerState& answer) {
  std::string frames = response_event("response.created", response(answer, "in_progress"));
  return frames.append(response_event("response.in_progress", response(answer, "in_progress")));
}

std::string ResponseAnswer::piece(const AnswerState&, size_t, const ChoicePiece& piece) {
  const ItemKind reasoning = options_.summarizes_thoughts ? ItemKind::reasoning_summary : ItemKind::reasoning;
  std::string frames;
  size_t n_taken = 0;  // of the scores
  for (const text::ChatDelta& part : piece.deltas) {
    told_bytes_ += part.text.size();
    const bool is_last = &part == &piece.deltas.back();
    json::array logprobs = take_logprobs(piece, n_taken, is_last ? std::string::npos : told_bytes_, part.text);
    switch (part.kind) {
      case Kind::content:
        if (!is_open(ItemKind::message)) frames += start_item(ItemKind::message, {});
        frames += add_text(part.text, std::move(logprobs));
        break;
      case Kind::reasoning:
        if (!is_open(reasoning)) frames += start_item(reasoning, {});
        frames += add_text(part.text, {});
        break;
      case Kind::call_started:
        frames += start_item(ItemKind::function_call, part.text);
        break;
      case Kind::call_arguments:
        frames += add_text(part.text, {});
        break;
      case Kind::call_ended:
        frames += end_item(part.is_complete ? "completed" : "incomplete");
        break;
    }
  }
  return frames;
}

std::string ResponseAnswer::closing(const AnswerState& answer, size_t index, const ChoicePiece& rest) {
  if (is_open(ItemKind::message)) {
    size_t n_taken = 0;
    for (json::value& entry : take_logprobs(rest, n_taken, std::string::npos, {}))
      items_.back().logprobs.emplace_back(std::move(entry));
  }
  return end_item(status_of(answer.choices[index]));
}

std::string ResponseAnswer::ending(const AnswerState& answer) {
  const bool is_complete = status_of(answer.choices.front()) == "completed";
  return response_event(is_complete ? "response.completed" : "response.incomplete", finished_response(answer));
}

std::string ResponseAnswer::failure(const AnswerState& answer, const ApiError& error) {
  std::string frames = end_item("incomplete");
  json::object failed = response(answer, "failed");
  failed["error"] = {{"code", "server_error"}, {"message", error.message}};
  return frames.append(response_event("response.failed", std::move(failed)));
}

json::object ResponseAnswer::whole(const AnswerState& answer, const std::vector<ChoicePiece>& pieces) {
  piece(answer, 0, pieces.front());
  end_item(status_of(answer.choices.front()));
  return finished_response(answer);
}

std::string ResponseAnswer::start_item(ItemKind kind, const std::string& name) {
  std::string frames = end_item("completed");
  items_.emplace_back(kind, name);
  open_ = true;
  const ResponseItem& item = items_.back();
  json::object added;
  added["output_index"] = items_.size() - 1;
  added["item"] = item.json();
  frames += event("response.output_item.added", std::move(added));
  if (const ResponseItemEvents& events = events_of(kind); !events.part.empty())
    frames += item_event(fmt::format("{}.added", events.part), {{"part", item.part(true)}});
  return frames;
}

std::string ResponseAnswer::add_text(const std::string& text, json::array logprobs) {
  ResponseItem& item = items_.back();
  item.text += text;
  json::object members;
  members["delta"] = text;
  if (item.kind == ItemKind::message) {
    item.logprobs.insert(item.logprobs.end(), logprobs.begin(), logprobs.end());
    members["logprobs"] = std::move(logprobs);
  }
  return item_event(fmt::format("{}.delta", events_of(item.kind).text), std::move(members));
}

std::string ResponseAnswer::end_item(std::string_view status) {
  if (!std::exchange(open_, false)) return {};
  ResponseItem& item = items_.back();
  item.status = status;
  const ResponseItemEvents& events = events_of(item.kind);
  json::object text;
  text[events.whole] = item.text;
  if (item.kind == ItemKind::message) text["logprobs"] = item.logprobs;
  if (item.kind == ItemKind::function_call) text["name"] = item.name;
  std::string frames = item_event(fmt::format("{}.done", events.text), std::move(text));
  if (!events.part.empty()) frames += item_event(fmt::format("{}.done", events.part), {{"part", item.part(false)}});
  json::object done;
  done["output_index"] = items_.size() - 1;
  done["item"] = item.json();
  return frames.append(event("response.output_item.done", std::move(done)));
}

// Those of the tokens that begin before `end_bytes`. Markers are in no text: they begin where the token after them
// does, and `text` does not begin with them.
json::array ResponseAnswer::take_logprobs(const ChoicePiece& piece, size_t& n_taken, size_t end_bytes,
                                          std::string_view text) const {
  const std::vector<ScoredToken>& scores = piece.scores;
  const auto is_marker = [&](size_t i) {
    const bool is_empty = i + 1 < scores.size() && scores[i + 1].begin_bytes == scores[i].begin_bytes;
    const std::string_view bytes = tokenizer_.token_bytes(scores[i].token.id);
    return tokenizer_.is_special(scores[i].token.id) || (is_empty && !text.starts_with(bytes));
  };
  std::vector<ScoredToken> taken;
  for (; n_taken < scores.size() && scores[n_taken].begin_bytes < end_bytes; ++n_taken)
    if (!taken.empty() || !is_marker(n_taken)) taken.push_back(scores[n_taken]);
  return logprob_entries(tokenizer_, taken);
}

json::object ResponseAnswer::response(const AnswerState& answer, std::string_view status) const {
  json::array output;
  for (const ResponseItem& item : items_) output.emplace_back(item.json());
  json::object response;
  response["id"] = id_;
  response["object"] = "response";
  response["created_at"] = created_;
  response["status"] = status;
  response["background"] = false;
  response["error"] = nullptr;
  response["incomplete_details"] = nullptr;
  response["model"] = answer.model_id;
  response["output"] = std::move(output);
  response["previous_response_id"] = nullptr;
  response["store"] = false;
  response["usage"] = nullptr;
  for (const auto& [name, value] : repeated_) response[name] = value;
  return response;
}

json::object ResponseAnswer::finished_response(const AnswerState& answer) const {
  const std::string_view status = status_of(answer.choices.front());
  json::object finished = response(answer, status);
  if (status == "completed") {
    finished["completed_at"] = seconds_since_1970();
  } else {
    finished["incomplete_details"] = {{"reason", "max_output_tokens"}};
  }
  finished["usage"] = usage_of(answer);
  return finished;
}

std::string ResponseAnswer::event(std::string_view type, json::object members) {
  json::object event;
  event["type"] = type;
  event["sequence_number"] = n_events_++;
  for (auto& [name, value] : members) event[name] = std::move(value);
  return event_frame(type, event);
}

std::string ResponseAnswer::response_event(std::string_view type, json::object response) {
  json::object members;
  members["response"] = std::move(response);
  return event(type, std::move(members));
}

std::string ResponseAnswer::item_event(std::string_view type, json::object members) {
  const ResponseItem& item = items_.back();
  members["item_id"] = item.id;
  members["output_index"] = items_.size() - 1;
  if (const std::string_view index = events_of(item.kind).index; !index.empty()) members[index] = 0;
  return event(type, std::move(members));
}

}  // namespace paro::server
