#include "server/mailbox.h"

#include <utility>

namespace paro::server {

void Mailbox::put(SequenceEvent event) {
  const std::lock_guard lock(mutex_);
  if (!reader_) return;
  if (events_.size() >= capacity_ && std::holds_alternative<SampledToken>(event.what)) {
    overrun_ = true;
    return;
  }
  events_.push_back(std::move(event));
  if (events_.size() == 1) reader_->notify();  // later ones find the reader on its way
}

Mailbox::Contents Mailbox::take() {
  const std::lock_guard lock(mutex_);
  return {std::exchange(events_, {}), overrun_};
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  reader_.reset();
  events_.clear();
}

}  // namespace paro::server
