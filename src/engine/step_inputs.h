// The integers of one step: which rows run, and what is asked of them. They stay in place for as long as the model is.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "models/model.h"

namespace paro {

// One token of one sequence. Of its logits, those that are less than the n_exact best may come out smaller than they
// are; 0: none. Rows of a sequence stand together in a step, at ascending positions.
struct StepRow {
  int32_t token = 0;
  int32_t position = 0;
  int32_t slot = 0;  // of the KvCache
  bool wants_logits = false;
  int n_exact = 0;            // as exact_logits() says
  bool wants_hidden = false;  // the observer sees its final hidden state; it does for rows that want logits anyway
};

class StepInputs {
 public:
  StepInputs(int max_rows, int max_logit_rows);

  void set(std::span<const StepRow> rows);
  int n_logit_rows() const { return int(logit_indices_.size()); }

  // Points into this object until the next set().
  Step step(const std::array<BlockTable, kCacheKinds>& tables, std::span<const KvLayer> kv) const;

 private:
  struct Rows {
    std::vector<int32_t> tokens, positions, sequences;
    Batch batch(const std::array<BlockTable, kCacheKinds>& tables) const {
      return {tokens, positions, sequences, tables};
    }
    void reserve(size_t n);
    void clear();
    void push(const StepRow& row);
  };

  Rows rows_, final_rows_;
  std::vector<int32_t> final_indices_, logit_indices_, n_exact_;
};

}  // namespace paro
