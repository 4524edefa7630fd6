#include "server/mailbox.h"

#include <utility>

namespace paro::server {
namespace {

constexpr uint64_t kStepBytes = 64 << 10;
constexpr uint64_t kMostBytes = 4 << 20;

}  // namespace

// False: there is no memory for it.
bool Mailbox::charge(const SampledToken& token) {
  const uint64_t n_bytes = n_bytes_ + sizeof(SequenceEvent) + token.best.capacity() * sizeof(TokenLogprob);
  if (n_bytes > kFreeBytes + charged_bytes_) {
    if (n_bytes > kMostBytes || !pool_.take(kStepBytes)) return false;
    charged_bytes_ += kStepBytes;
  }
  n_bytes_ = n_bytes;
  return true;
}

void Mailbox::put(SequenceEvent event) {
  const std::lock_guard lock(mutex_);
  if (!reader_) return;
  if (const SampledToken* token = std::get_if<SampledToken>(&event.what); token && (overrun_ || !charge(*token))) {
    if (!std::exchange(overrun_, true)) reader_->notify();
    return;
  }
  const bool is_token = std::holds_alternative<SampledToken>(event.what);
  events_.push_back(std::move(event));
  // Past that number the reader is on its way.
  if (events_.size() == wakes_at_ || (!is_token && events_.size() < wakes_at_)) reader_->notify();
}

Mailbox::Contents Mailbox::take() {
  const std::lock_guard lock(mutex_);
  pool_.give_back(std::exchange(taken_bytes_, std::exchange(charged_bytes_, 0)));
  n_bytes_ = 0;
  return {std::exchange(events_, {}), overrun_};
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  if (!reader_) return;
  reader_.reset();
  events_ = {};
  pool_.give_back(charged_bytes_ + taken_bytes_);
}

}  // namespace paro::server
