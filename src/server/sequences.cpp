#include "server/sequences.h"

#include <utility>

namespace paro::server {
class Sequences::Listener : public GenerationListener {
 public:
  Listener(std::shared_ptr<Metrics> metrics, std::shared_ptr<Mailbox> mailbox, size_t sequence, bool tells_prefill)
      : meter_(std::move(metrics)), mailbox_(std::move(mailbox)), sequence_(sequence), tells_prefill_(tells_prefill) {}

  void on_start(int n_cached_tokens, int /*n_prompt_tokens*/) override {
    n_cached_ = n_cached_tokens;
    tell_prefill(n_cached_tokens);
  }
  void on_prefill(int n_done, int /*n_prompt_tokens*/) override {
    meter_.on_prefill(n_done);
    tell_prefill(n_done);
  }
  void on_token(const SampledToken& token) override {
    meter_.on_token();
    mailbox_->put({.sequence = sequence_, .what = token});
  }
  void on_embedding(std::span<const float> hidden) override {
    mailbox_->put({.sequence = sequence_, .what = Embedding{{hidden.begin(), hidden.end()}}});
  }
  void on_end(const GenerationEnd& end) override {
    meter_.on_end(end);
    mailbox_->put({.sequence = sequence_, .what = end});
  }

  SequenceMeter& meter() { return meter_; }

 private:
  void tell_prefill(int n_done) {
    if (tells_prefill_) mailbox_->put({.sequence = sequence_, .what = PrefillProgress{n_done, n_cached_}});
  }

  SequenceMeter meter_;
  std::shared_ptr<Mailbox> mailbox_;
  size_t sequence_;
  const bool tells_prefill_;
  int n_cached_ = 0;
};

Sequences::Sequences(Engine& engine, std::shared_ptr<Metrics> metrics, std::shared_ptr<Wakeup> reader, WakeFor wake_for,
                     MemoryPool& pool)
    : engine_(engine),
      metrics_(std::move(metrics)),
      mailbox_(std::make_shared<Mailbox>(std::move(reader), wake_for, pool)) {}

Sequences::~Sequences() {
  mailbox_->close();
  for (size_t i = 0; i < ids_.size(); ++i)
    if (!ended_[i]) engine_.cancel(ids_[i]);
}

void Sequences::submit(GenerationRequest request, bool tells_prefill) {
  ids_.reserve(ids_.size() + 1);
  listeners_.reserve(ids_.size() + 1);
  ended_.reserve(ids_.size() + 1);
  auto listener = std::make_shared<Listener>(metrics_, mailbox_, ids_.size(), tells_prefill);
  ids_.push_back(engine_.submit(std::move(request), listener));
  listeners_.push_back(std::move(listener));
  ended_.push_back(false);
}

void Sequences::stop(size_t sequence) {
  if (ended_[sequence]) return;
  listeners_[sequence]->meter().complete();
  engine_.cancel(ids_[sequence]);
}

std::vector<SequenceEvent> Sequences::take() {
  Mailbox::Contents contents = mailbox_->take();
  if (contents.overrun) throw Error(ErrorKind::unavailable, "stream: the client reads slower than the model writes");
  for (const SequenceEvent& event : contents.events) {
    if (!std::holds_alternative<GenerationEnd>(event.what)) continue;
    ended_[event.sequence] = true;
    ++n_ended_;
  }
  return std::move(contents.events);
}

}  // namespace paro::server
