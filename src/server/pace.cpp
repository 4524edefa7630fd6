#include "server/pace.h"

namespace paro::server {

void Pace::note(const SequenceEvent& event) {
  const auto since = [&](Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(event.at - begin).count();
  };
  if (const PrefillProgress* progress = std::get_if<PrefillProgress>(&event.what)) {
    if (started_ == Clock::time_point()) started_ = event.at;
    prefill_ = *progress;
    prefill_ms_ = since(started_);
  } else if (std::holds_alternative<SampledToken>(event.what)) {
    if (n_tokens_++ == 0) first_token_ = event.at;
    decode_ms_ = since(first_token_);
  }
}

}  // namespace paro::server
