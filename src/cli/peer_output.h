// What other programs' benchmarks print: llama-bench's JSON, llama-batched-bench's table or JSON lines.
#pragma once

#include <string_view>
#include <vector>

namespace paro::cli {

// What a peer measured; 0: it said nothing of it.
struct PeerResult {
  double prefill_tokens_per_s = 0;
  struct Decode {
    int batch = 1;
    double tokens_per_s = 0;  // of all sequences
  };
  std::vector<Decode> decode;
};

// [{"n_prompt": 512, "n_gen": 0, "avg_ts": 529.0}, ...]. What is no such list gives an empty result.
PeerResult parse_llama_bench(std::string_view text);

// Lines "| PP | TG | B | N_KV | T_PP s | S_PP t/s | T_TG s | S_TG t/s | T s | S t/s |" or {"pl": 8, "speed_tg": 70.0}
// between others.
PeerResult parse_batched_bench(std::string_view text);

}  // namespace paro::cli
