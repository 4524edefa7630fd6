#include "server/completion_answer.h"

#include <algorithm>
#include <utility>

#include "server/token_text.h"

namespace paro::server {
namespace {

namespace json = boost::json;

std::string text_of(const ChoicePiece& piece) {
  std::string text;
  for (const text::ChatDelta& delta : piece.deltas) text += delta.text;
  return text;
}

// Characters that begin in `bytes`, which may be a part of one.
int64_t count_chars(std::string_view bytes) {
  return std::count_if(bytes.begin(), bytes.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

}  // namespace

std::vector<json::object> CompletionAnswer::opening_choices(size_t index) {
  const std::string text = echo(index);
  if (text.empty()) return {};
  return {choice_of(index, text, {})};
}

json::object CompletionAnswer::empty_choice(size_t index) { return choice_of(index, "", {}); }

std::vector<json::object> CompletionAnswer::piece_choices(size_t index, const ChoicePiece& piece) {
  if (piece.deltas.empty()) return {};
  return {choice_of(index, text_of(piece), piece.scores)};
}

json::object CompletionAnswer::closing_choice(size_t index, const ChoicePiece& rest, std::string_view finish_reason) {
  json::object choice = choice_of(index, "", rest.scores);
  choice["finish_reason"] = finish_reason;
  return choice;
}

json::object CompletionAnswer::whole_choice(size_t index, const ChoicePiece& all, std::string_view finish_reason) {
  json::object choice = choice_of(index, echo(index) + text_of(all), all.scores);
  choice["finish_reason"] = finish_reason;
  return choice;
}

std::string CompletionAnswer::echo(size_t index) const { return echoes_.empty() ? std::string() : echoes_[index]; }

json::object CompletionAnswer::choice_of(size_t index, std::string_view text, const std::vector<ScoredToken>& scores) {
  json::object choice;
  choice["index"] = index;
  choice["text"] = text;
  choice["logprobs"] = logprobs(index, scores);
  choice["finish_reason"] = nullptr;
  return choice;
}

json::value CompletionAnswer::logprobs(size_t index, const std::vector<ScoredToken>& scores) {
  if (scores.empty()) return nullptr;
  int64_t& n_chars = n_chars_[index];
  json::array tokens, token_logprobs, top_logprobs, text_offset;
  for (const ScoredToken& score : scores) {
    tokens.emplace_back(token_text(tokenizer_, score.token.id));
    token_logprobs.emplace_back(finite_logprob(score.token.logprob));
    json::object best;
    for (const TokenLogprob& other : score.token.best)
      best[token_text(tokenizer_, other.id)] = finite_logprob(other.logprob);
    top_logprobs.emplace_back(std::move(best));
    text_offset.emplace_back(n_chars);
    if (!tokenizer_.is_special(score.token.id)) n_chars += count_chars(tokenizer_.token_bytes(score.token.id));
  }
  json::object object;
  object["tokens"] = std::move(tokens);
  object["token_logprobs"] = std::move(token_logprobs);
  object["top_logprobs"] = std::move(top_logprobs);
  object["text_offset"] = std::move(text_offset);
  return object;
}

}  // namespace paro::server
