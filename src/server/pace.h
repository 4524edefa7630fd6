// How far a sequence is and how long it took, told while it runs.
#pragma once

#include "server/mailbox.h"

namespace paro::server {

class Pace {
 public:
  explicit Pace(int n_prompt_tokens) : n_prompt_tokens_(n_prompt_tokens) {}

  void note(const SequenceEvent& event);

  int n_prompt_tokens() const { return n_prompt_tokens_; }
  int n_cached_tokens() const { return prefill_.n_cached; }
  int n_prefilled_tokens() const { return prefill_.n_done; }  // those from a cache among them
  int n_tokens() const { return n_tokens_; }
  double prefill_ms() const { return prefill_ms_; }  // of what has been run
  double decode_ms() const { return decode_ms_; }    // since the first token

 private:
  using Clock = std::chrono::steady_clock;

  int n_prompt_tokens_;
  PrefillProgress prefill_;
  int n_tokens_ = 0;
  Clock::time_point started_{}, first_token_{};
  double prefill_ms_ = 0, decode_ms_ = 0;
};

}  // namespace paro::server
