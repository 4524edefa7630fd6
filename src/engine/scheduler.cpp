#include "engine/scheduler.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/step_lanes.h"

namespace paro {
namespace {

constexpr std::chrono::seconds kWaitingPerPriority{10};
constexpr int kLargestPriority = 100;

int n_left(const Sequence& s) { return s.n_prompt() - s.n_cached; }

int n_exact_of(const GenerationRequest& request) {
  return request.constraint == nullptr ? exact_logits(request.sampling) : 0;
}

// Tokens, in whole blocks and all but the last, with which two prompts begin alike.
int n_shared(const Sequence& s, const Sequence& other) {
  const auto& own = s.request.prompt;
  const auto end = own.end() - 1;
  const auto& theirs = other.request.prompt;
  const int n = int(std::mismatch(own.begin(), end, theirs.begin(), theirs.end()).first - own.begin());
  return n / kPageTokens * kPageTokens;
}

}  // namespace

Sequence::Clock::time_point queue_rank(const Sequence& s) {
  return s.queued - std::clamp(s.request.priority, -kLargestPriority, kLargestPriority) * kWaitingPerPriority;
}

Scheduler::Scheduler(int max_rows, int max_batch, int n_lanes)
    : max_rows_(max_rows), n_lanes_(n_lanes), lane_weights_(size_t(n_lanes)) {
  rows_.reserve(size_t(max_rows));
  in_step_.reserve(size_t(max_batch));
  answers_.reserve(size_t(max_batch));
  chunks_.reserve(size_t(max_batch));
  by_length_.reserve(size_t(max_batch));
}

void Scheduler::compose(const Sequences& active, KvCache& cache, int max_prompt_rows) {
  rows_.clear();
  in_step_.clear();
  answers_.clear();
  chunks_.clear();
  cache.allow_reading(max_rows_);
  for (const auto& s : active) {
    if (!s->in_prefill()) answers_.push_back({s.get(), 1});
  }
  for (const auto& s : active) {
    if (!s->in_prefill()) continue;
    if (s->reuses() && cache.reuses_prefixes()) {
      const int before = s->n_cached;
      s->n_cached = cache.reuse(s->slot, s->request.prompt, before);
      s->n_reused += s->n_cached - before;
      if (cache.is_reading(s->slot) || waits(*s, active)) continue;
    }
    chunks_.push_back({s.get()});
  }
  if (!chunks_.empty()) {
    const int room = max_rows_ - n_answer_rows();
    share(n_answer_rows() > 0 ? std::min(room, max_prompt_rows) : room);
    even_lanes();
  }
  share_lanes();
  for (int lane = 0; lane < n_lanes_; ++lane) {
    for (const Chunk& answer : answers_) {
      if (answer.lane == lane) add_answer(*answer.sequence, cache);
    }
    for (const Chunk& chunk : chunks_) {
      if (chunk.lane == lane && chunk.n_rows > 0) add_prompt(*chunk.sequence, chunk.n_rows, cache);
    }
  }
}

// Whether another prompt that is ahead is about to run what this one needs next. Of two, one is ahead: the farther, or
// the older of equals, so that never two wait for each other.
bool Scheduler::waits(const Sequence& s, const Sequences& active) const {
  bool is_older = true;
  for (const auto& other : active) {
    if (other.get() == &s) {
      is_older = false;
      continue;
    }
    if (!other->in_prefill() || !other->shares()) continue;
    if (other->n_cached < s.n_cached || (other->n_cached == s.n_cached && !is_older)) continue;
    const int n = n_shared(s, *other);
    if (n > s.n_cached && other->n_cached < n) return true;
  }
  return false;
}

void Scheduler::share(int room) {
  Chunk& oldest = chunks_.front();
  by_length_.clear();
  for (Chunk& chunk : std::span(chunks_).subspan(1)) by_length_.push_back(&chunk);
  std::ranges::sort(by_length_, [](const Chunk* a, const Chunk* b) {
    const int left_of_a = n_left(*a->sequence), left_of_b = n_left(*b->sequence);
    return left_of_a != left_of_b ? left_of_a < left_of_b : a < b;
  });
  int others = room - std::min(n_left(*oldest.sequence), (room + 1) / 2);
  room -= others;
  for (Chunk* chunk : by_length_) {
    chunk->n_rows = std::min(others, n_left(*chunk->sequence));
    others -= chunk->n_rows;
  }
  oldest.n_rows = std::min(room + others, n_left(*oldest.sequence));
}

void Scheduler::even_lanes() {
  Chunk& largest = *std::ranges::max_element(chunks_, {}, &Chunk::n_rows);
  int n_prompt_rows = -largest.n_rows;
  for (const Chunk& chunk : chunks_) n_prompt_rows += chunk.n_rows;
  const int n_even = even_rows(n_answer_rows(), n_prompt_rows, n_lanes_);
  if (n_even > 0) largest.n_rows = std::min(largest.n_rows, n_even);
}

// The longest first, each to the lane that has least by then; answers fill up what chunks leave uneven.
void Scheduler::share_lanes() {
  if (n_lanes_ == 1) return;
  std::ranges::fill(lane_weights_, 0);
  const auto take = [&](Chunk& chunk, int64_t weight) {
    const auto lightest = std::ranges::min_element(lane_weights_);
    *lightest += weight;
    chunk.lane = int(lightest - lane_weights_.begin());
  };
  by_length_.clear();
  for (Chunk& chunk : chunks_) by_length_.push_back(&chunk);
  std::ranges::sort(by_length_, [](const Chunk* a, const Chunk* b) {
    return a->n_rows != b->n_rows ? a->n_rows > b->n_rows : a < b;
  });
  for (Chunk* chunk : by_length_) take(*chunk, lane_weight(0, chunk->n_rows));
  for (Chunk& answer : answers_) take(answer, lane_weight(1, 0));
}

void Scheduler::add_answer(Sequence& s, KvCache& cache) {
  cache.extend(s.slot, s.n_cached, s.n_cached + 1);
  rows_.push_back({s.last_token, s.n_cached, s.slot, true, n_exact_of(s.request)});
  in_step_.push_back(&s);
}

void Scheduler::add_prompt(Sequence& s, int n_rows, KvCache& cache) {
  const int begin = s.n_cached, end = begin + n_rows, n_exact = n_exact_of(s.request);
  if (!std::exchange(s.told_start, true)) s.listener->on_start(s.n_reused, s.n_prompt());
  cache.extend(s.slot, begin, end);
  for (int i = begin; i < end; ++i) {
    const bool is_last = i + 1 == s.n_prompt();
    rows_.push_back({.token = s.request.prompt[size_t(i)],
                     .position = i,
                     .slot = s.slot,
                     .wants_logits = is_last && !s.is_pooled(),
                     .n_exact = n_exact,
                     .wants_hidden = s.request.pooling == Pooling::mean || (is_last && s.is_pooled())});
  }
  in_step_.push_back(&s);
}

}  // namespace paro
