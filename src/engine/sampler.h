// Chooses the next token of one sequence from its logits.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/sampling.h"

namespace paro {

// Throws Error{request} naming the option that is out of range.
void check_sampling(const SamplingOptions& options, int vocab_size);

class Sampler {
 public:
  struct Candidate {
    int32_t id;
    float logit;
  };

  // Memory that sampling takes for a vocabulary, whoever samples.
  static int64_t scratch_bytes(int vocab_size) { return int64_t(vocab_size) * int64_t(sizeof(Candidate)); }

  Sampler(SamplingOptions options, std::span<const int32_t> prompt, uint64_t fallback_seed);

  // logits [vocab_size] are changed in place; scratch holds scratch_bytes. `allowed`: as TokenConstraint tells; at
  // least one bit is set, or it is empty.
  SampledToken sample(std::span<float> logits, std::span<std::byte> scratch, std::span<const uint32_t> allowed = {});

 private:
  void apply_penalties(std::span<float> logits) const;
  SampledToken greedy(std::span<const float> logits) const;
  SampledToken draw(std::span<float> logits, std::span<Candidate> candidates);
  void count(int32_t id);

  SamplingOptions options_;
  uint64_t seed_;
  uint64_t n_drawn_ = 0;
  std::unordered_map<int32_t, int> n_counted_;  // times that each token was generated, or is in the window
  std::vector<int32_t> prompt_tokens_;          // distinct, kept for the repetition penalty alone
  std::deque<int32_t> window_;                  // the last tokens, where penalties count no others
};

}  // namespace paro
