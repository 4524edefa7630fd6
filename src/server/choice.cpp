#include "server/choice.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace paro::server {
namespace {

using Kind = text::ChatDelta::Kind;

bool is_text(Kind kind) { return kind == Kind::content || kind == Kind::reasoning; }

}  // namespace

void ChoicePiece::append(ChoicePiece piece) {
  for (text::ChatDelta& delta : piece.deltas) {
    if (!deltas.empty() && deltas.back().kind == delta.kind && is_text(delta.kind)) {
      deltas.back().text += delta.text;
    } else {
      deltas.push_back(std::move(delta));
    }
  }
  scores.insert(scores.end(), std::make_move_iterator(piece.scores.begin()),
                std::make_move_iterator(piece.scores.end()));
}

Choice::Choice(std::unique_ptr<text::ChatParser> parser, std::vector<std::string> stop_strings, bool keeps_scores)
    : parser_(std::move(parser)), matcher_(std::move(stop_strings)), keeps_scores_(keeps_scores) {}

ChoicePiece Choice::push(const SampledToken& token) {
  ChoicePiece piece;
  if (stopped()) return piece;
  ++n_tokens_;
  if (keeps_scores_) scores_.push_back({token, read_bytes_});
  std::vector<text::ChatDelta> deltas = parser_->push(token.id);
  count(deltas);
  piece.deltas = cut(std::move(deltas));
  if (!piece.deltas.empty()) piece.scores = take_scores(false);
  return piece;
}

ChoicePiece Choice::finish(const GenerationEnd& end) {
  ChoicePiece piece;
  bool cut_off = false;  // by the length, and not right behind a call
  if (!stopped()) {
    n_tokens_ = std::max(n_tokens_, end.n_generated_tokens);
    piece.deltas = cut(parser_->finish());
    emit(held_kind_, matcher_.flush(), piece.deltas);
    cut_off = end.reason == FinishReason::length && (n_calls_ == 0 || is_text(held_kind_) || !last_call_is_complete_);
  }
  piece.scores = take_scores(!stopped());
  finished_ = true;
  end_ = end;
  finish_reason_ = cut_off ? "length" : n_calls_ > 0 ? "tool_calls" : "stop";
  return piece;
}

// Tokens count for the text that comes of them: the marker before a thought for the thought.
void Choice::count(const std::vector<text::ChatDelta>& deltas) {
  ++n_unread_tokens_;
  if (deltas.empty()) return;
  if (deltas.front().kind == Kind::reasoning) n_reasoning_tokens_ += n_unread_tokens_;
  n_unread_tokens_ = 0;
}

std::vector<text::ChatDelta> Choice::cut(std::vector<text::ChatDelta> deltas) {
  std::vector<text::ChatDelta> told;
  for (text::ChatDelta& delta : deltas) {
    if (stopped()) break;
    read_bytes_ += delta.text.size();
    if (delta.kind != held_kind_) emit(held_kind_, matcher_.flush(), told);
    held_kind_ = delta.kind;
    if (is_text(delta.kind)) {
      emit(delta.kind, matcher_.push(delta.text), told);
    } else {
      if (delta.kind == Kind::call_started) ++n_calls_;
      if (delta.kind == Kind::call_ended) last_call_is_complete_ = delta.is_complete;
      told_bytes_ += delta.text.size();
      told.push_back(std::move(delta));
    }
  }
  return told;
}

void Choice::emit(Kind kind, std::string text, std::vector<text::ChatDelta>& deltas) {
  if (text.empty()) return;
  told_bytes_ += text.size();
  deltas.push_back({kind, std::move(text)});
}

// Tokens whose text begins behind what was told wait: a stop string may still take them away.
std::vector<ScoredToken> Choice::take_scores(bool all) {
  const auto told = [&](const ScoredToken& score) {
    return all || score.begin_bytes < told_bytes_ || (!stopped() && !matcher_.holds_text());
  };
  const auto rest = std::find_if_not(scores_.begin(), scores_.end(), told);
  std::vector<ScoredToken> taken(std::make_move_iterator(scores_.begin()), std::make_move_iterator(rest));
  scores_.erase(scores_.begin(), rest);
  return taken;
}

}  // namespace paro::server
