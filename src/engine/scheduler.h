// Which rows a step has: the newest token of every answer, and chunks of prompts in what room is left.
//
// Half of that room is the oldest prompt's, so that each one's turn comes; the rest goes to those that have least left,
// so that a short one is not held up by a long one. A prompt whose beginning another one is about to run waits for it,
// and takes over its blocks. Where steps are run in lanes, a chunk is no longer than leaves them even, and the rows of
// a lane stand together. What lies on disk of a beginning is read a step's worth of tokens at a time, while others go
// on.
#pragma once

#include <list>
#include <memory>
#include <span>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/model_runner.h"
#include "engine/sequence.h"

namespace paro {

class Scheduler {
 public:
  using Sequences = std::list<std::unique_ptr<Sequence>>;

  Scheduler(int max_rows, int max_batch, int n_lanes);

  // The next step of `active`, oldest first. Its positions have their pages. Beside answers, prompts have at most
  // max_prompt_rows. There are no rows where all that there is to do is to read on in the next call.
  void compose(const Sequences& active, KvCache& cache, int max_prompt_rows);

  std::span<const StepRow> rows() const { return rows_; }
  std::span<Sequence*> sequences() { return in_step_; }  // of this step, in the order of their rows
  int n_answer_rows() const { return int(answers_.size()); }

 private:
  struct Chunk {
    Sequence* sequence = nullptr;
    int n_rows = 0;
    int lane = 0;
  };

  bool waits(const Sequence& s, const Sequences& active) const;
  void share(int room);
  void even_lanes();
  void share_lanes();
  void add_answer(Sequence& s, KvCache& cache);
  void add_prompt(Sequence& s, int n_rows, KvCache& cache);

  const int max_rows_, n_lanes_;
  std::vector<StepRow> rows_;
  std::vector<Sequence*> in_step_;
  std::vector<Chunk> answers_;  // of one row each, oldest first
  std::vector<Chunk> chunks_;   // of prompts, oldest first
  std::vector<Chunk*> by_length_;
  std::vector<int64_t> lane_weights_;  // [n_lanes]
};

// Where a request stands in the queue: each step of priority is worth as much waiting, so that none waits for ever.
Sequence::Clock::time_point queue_rank(const Sequence& s);

}  // namespace paro
