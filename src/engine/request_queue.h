// Where requests, which come from any thread, meet the one that runs them: sequences that wait for their start, and
// what is asked of those that have started.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <vector>

#include "engine/sequence.h"

namespace paro {

class RequestQueue {
 public:
  using SequencePtr = std::unique_ptr<Sequence>;

  explicit RequestQueue(int max_waiting) : max_waiting_(max_waiting) {}

  // From any thread.
  GenerationId next_id();          // random, since it also seeds the draws of a request that brings no seed
  void add(SequencePtr sequence);  // behind those of its rank; throws Error{unavailable}: full, or stopping
  void cancel(GenerationId id);
  // Takes no more requests, waits until all have ended or the time has passed, and cancels those that are left.
  void stop(std::chrono::milliseconds grace);
  int n_waiting() const { return n_waiting_.load(); }
  int n_active() const { return n_active_.load(); }

  // For the inference thread, which has so many that are started. Waits while there is nothing to do; false: it stops.
  bool wait_for_work(int n_active);
  // The first of those that wait, which counts as started then, if there is one and it fits.
  SequencePtr take_if(const std::function<bool(const Sequence&)>& fits);
  // What was cancelled since; those that waited among it are taken out.
  struct Cancelled {
    std::set<GenerationId> ids;
    bool all = false;
    std::vector<SequencePtr> waiting;

    bool holds(const Sequence& sequence) const { return all || ids.contains(sequence.id); }
  };
  Cancelled take_cancelled();

 private:
  const int max_waiting_;

  std::mutex mutex_;  // guards all below
  std::condition_variable wake_, idle_;
  std::mt19937_64 ids_{std::random_device{}()};
  std::deque<SequencePtr> waiting_;
  std::set<GenerationId> cancelled_;
  bool stopping_ = false;
  bool cancel_all_ = false;
  std::atomic<int> n_active_{0}, n_waiting_{0};  // read by anybody
};

}  // namespace paro
