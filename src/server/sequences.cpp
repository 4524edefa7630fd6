#include "server/sequences.h"

#include <utility>

namespace paro::server {
namespace {

constexpr size_t kMailboxEvents = 16384;

class Listener : public GenerationListener {
 public:
  Listener(std::shared_ptr<Mailbox> mailbox, size_t sequence) : mailbox_(std::move(mailbox)), sequence_(sequence) {}

  void on_token(const SampledToken& token) override { mailbox_->put({sequence_, token}); }
  void on_end(const GenerationEnd& end) override { mailbox_->put({sequence_, end}); }

 private:
  std::shared_ptr<Mailbox> mailbox_;
  size_t sequence_;
};

}  // namespace

Sequences::Sequences(Engine& engine, std::shared_ptr<Wakeup> reader)
    : engine_(engine), mailbox_(std::make_shared<Mailbox>(std::move(reader), kMailboxEvents)) {}

Sequences::~Sequences() {
  mailbox_->close();
  for (size_t i = 0; i < ids_.size(); ++i)
    if (!ended_[i]) engine_.cancel(ids_[i]);
}

void Sequences::submit(GenerationRequest request) {
  ids_.reserve(ids_.size() + 1);
  ended_.reserve(ids_.size() + 1);
  ids_.push_back(engine_.submit(std::move(request), std::make_shared<Listener>(mailbox_, ids_.size())));
  ended_.push_back(false);
}

void Sequences::cancel(size_t sequence) {
  if (!ended_[sequence]) engine_.cancel(ids_[sequence]);
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
