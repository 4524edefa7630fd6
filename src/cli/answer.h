// One answer, shown while it is made: from the engine's thread to the command's, from tokens to pieces of text.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "text/chat_format.h"

namespace paro::cli {

struct Answer {
  std::vector<int32_t> ids;
  std::string content, reasoning;
  GenerationEnd end;

  double prefill_tokens_per_s() const;
  double decode_tokens_per_s() const;  // of the tokens after the first
};

// Runs the request and gives `show` each piece as it becomes certain. `interrupted` cancels the answer, which then ends
// where it stands. Throws Error with which the engine refuses it or fails.
Answer stream_answer(Engine& engine, GenerationRequest request, text::ChatParser& parser,
                     const std::function<void(const text::ChatDelta&)>& show, const std::atomic<bool>& interrupted);

// Prints an answer as it comes: thoughts dimmed, and to terminals only, since a pipe wants the answer.
class AnswerPrinter {
 public:
  void show(const text::ChatDelta& delta);

 private:
  bool after_reasoning_ = false;
};

// max_tokens of a request: what was asked for, or all that the context leaves.
int answer_tokens(const ModelInfo& info, size_t n_prompt_tokens, int asked);

}  // namespace paro::cli
