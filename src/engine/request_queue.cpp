#include "engine/request_queue.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "engine/scheduler.h"

namespace paro {

GenerationId RequestQueue::next_id() {
  const std::lock_guard lock(mutex_);
  return ids_();
}

void RequestQueue::add(SequencePtr sequence) {
  const std::lock_guard lock(mutex_);
  if (stopping_) throw Error(ErrorKind::unavailable, "the server is stopping");
  if (int(waiting_.size()) >= max_waiting_) {
    throw Error(ErrorKind::unavailable, "{} requests wait already, the queue holds no more; try again later",
                waiting_.size());
  }
  const auto place = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const SequencePtr& other) { return queue_rank(*other) > queue_rank(*sequence); });
  waiting_.insert(place, std::move(sequence));
  n_waiting_ = int(waiting_.size());
  wake_.notify_one();
}

void RequestQueue::cancel(GenerationId id) {
  const std::lock_guard lock(mutex_);
  cancelled_.insert(id);
  wake_.notify_one();
}

void RequestQueue::stop(std::chrono::milliseconds grace) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
  idle_.wait_for(lock, grace, [&] { return waiting_.empty() && n_active_ == 0; });
  cancel_all_ = true;
  wake_.notify_one();
}

bool RequestQueue::wait_for_work(int n_active) {
  std::unique_lock lock(mutex_);
  n_active_ = n_active;
  while (n_active == 0 && waiting_.empty()) {
    idle_.notify_all();
    if (stopping_) return false;
    cancelled_.clear();
    wake_.wait(lock, [&] { return !waiting_.empty() || stopping_; });
  }
  return true;
}

RequestQueue::SequencePtr RequestQueue::take_if(const std::function<bool(const Sequence&)>& fits) {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty() || !fits(*waiting_.front())) return nullptr;
  SequencePtr sequence = std::move(waiting_.front());
  waiting_.pop_front();
  n_waiting_ = int(waiting_.size());
  ++n_active_;
  return sequence;
}

RequestQueue::Cancelled RequestQueue::take_cancelled() {
  const std::lock_guard lock(mutex_);
  Cancelled cancelled{.ids = std::exchange(cancelled_, {}), .all = cancel_all_, .waiting = {}};
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (cancelled.holds(**it)) {
      cancelled.waiting.push_back(std::move(*it));
      it = waiting_.erase(it);
    } else {
      ++it;
    }
  }
  n_waiting_ = int(waiting_.size());
  return cancelled;
}

}  // namespace paro
