#include "cli/answer.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "cli/output.h"

namespace paro::cli {
namespace {

using std::chrono::milliseconds;

class TokenQueue final : public GenerationListener {
 public:
  void on_token(const SampledToken& token) override {
    const std::lock_guard lock(mutex_);
    tokens_.push_back(token.id);
    changed_.notify_one();
  }
  void on_end(const GenerationEnd& end) override {
    const std::lock_guard lock(mutex_);
    end_ = end;
    ended_ = true;
    changed_.notify_one();
  }

  // Moves what came to `tokens`, after waiting for it no longer than `timeout`. False once all was taken.
  bool take(std::vector<int32_t>& tokens, milliseconds timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [&] { return ended_ || !tokens_.empty(); });
    tokens.clear();
    tokens.swap(tokens_);
    return !ended_ || !tokens.empty();
  }
  GenerationEnd end() {
    const std::lock_guard lock(mutex_);
    return end_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int32_t> tokens_;
  bool ended_ = false;
  GenerationEnd end_;
};

double per_second(int n, double ms) { return n > 0 && ms > 0 ? n * 1000.0 / ms : 0; }

}  // namespace

double Answer::prefill_tokens_per_s() const {
  return per_second(end.n_prompt_tokens - end.n_cached_tokens, end.prefill_ms);
}

double Answer::decode_tokens_per_s() const { return per_second(end.n_generated_tokens - 1, end.decode_ms); }

Answer stream_answer(Engine& engine, GenerationRequest request, text::ChatParser& parser,
                     const std::function<void(const text::ChatDelta&)>& show, const std::atomic<bool>& interrupted) {
  const auto queue = std::make_shared<TokenQueue>();  // shared with the engine's thread
  const GenerationId id = engine.submit(std::move(request), queue);
  Answer answer;
  const auto take = [&](const std::vector<text::ChatDelta>& deltas) {
    for (const text::ChatDelta& delta : deltas) {
      if (delta.kind == text::ChatDelta::Kind::content) answer.content += delta.text;
      if (delta.kind == text::ChatDelta::Kind::reasoning) answer.reasoning += delta.text;
      show(delta);
    }
  };
  std::vector<int32_t> tokens;
  bool cancelled = false;
  try {
    while (queue->take(tokens, milliseconds(50))) {
      if (interrupted && !cancelled) {
        engine.cancel(id);
        cancelled = true;
      }
      for (const int32_t token : tokens) {
        answer.ids.push_back(token);
        take(parser.push(token));
      }
    }
    take(parser.finish());
  } catch (...) {
    engine.cancel(id);
    throw;
  }
  answer.end = queue->end();
  if (answer.end.error) throw *answer.end.error;
  return answer;
}

void AnswerPrinter::show(const text::ChatDelta& delta) {
  if (delta.text.empty()) return;
  if (delta.kind == text::ChatDelta::Kind::reasoning) {
    if (!output_is_terminal()) return;
    print(dim(delta.text));
    after_reasoning_ = true;
    return;
  }
  if (std::exchange(after_reasoning_, false)) print("\n\n");
  print(delta.text);
}

int answer_tokens(const ModelInfo& info, size_t n_prompt_tokens, int asked) {
  if (asked > 0) return asked;
  return std::max(1, info.max_context - int(std::min(n_prompt_tokens, size_t(info.max_context))));
}

}  // namespace paro::cli
