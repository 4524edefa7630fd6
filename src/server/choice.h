// One sequence's tokens made into what clients see: parsed, cut at stop strings, with its logprobs and its reason to
// end.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "server/stop_matcher.h"
#include "text/chat_format.h"

namespace paro::server {

struct ScoredToken {
  SampledToken token;
  size_t begin_bytes = 0;  // of the choice's text, where this token's begins
};

struct ChoicePiece {
  std::vector<text::ChatDelta> deltas;
  std::vector<ScoredToken> scores;  // of the tokens whose text is told by now; empty when not asked for

  void append(ChoicePiece piece);  // joins neighbouring deltas of one kind
};

class Choice {
 public:
  Choice(std::unique_ptr<text::ChatParser> parser, std::vector<std::string> stop_strings, bool keeps_scores);

  // Scores come with the first piece of text after them, or at the end.
  ChoicePiece push(const SampledToken& token);
  ChoicePiece finish(const GenerationEnd& end);

  bool stopped() const { return matcher_.found(); }  // by a stop string: the sequence is of no more use
  std::string_view stop_string() const { return matcher_.stop(); }
  bool finished() const { return finished_; }
  int n_tokens() const { return n_tokens_; }  // that count for usage
  int n_reasoning_tokens() const { return n_reasoning_tokens_; }
  std::string_view finish_reason() const { return finish_reason_; }
  const GenerationEnd& end() const { return end_; }

 private:
  void count(const std::vector<text::ChatDelta>& deltas);
  std::vector<text::ChatDelta> cut(std::vector<text::ChatDelta> deltas);
  void emit(text::ChatDelta::Kind kind, std::string text, std::vector<text::ChatDelta>& deltas);
  std::vector<ScoredToken> take_scores(bool all);

  std::unique_ptr<text::ChatParser> parser_;
  StopMatcher matcher_;
  text::ChatDelta::Kind held_kind_ = text::ChatDelta::Kind::content;
  bool keeps_scores_;
  std::vector<ScoredToken> scores_;  // not yet told
  size_t read_bytes_ = 0, told_bytes_ = 0;
  int n_tokens_ = 0;
  int n_unread_tokens_ = 0;  // whose text the parser holds
  int n_reasoning_tokens_ = 0;
  int n_calls_ = 0;
  bool last_call_is_complete_ = true;
  bool finished_ = false;
  std::string_view finish_reason_;
  GenerationEnd end_;
};

}  // namespace paro::server
