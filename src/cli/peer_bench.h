// Another program's benchmark, run beside our own: llama-bench of llama.cpp on a GGUF file.
#pragma once

#include <filesystem>
#include <string>

namespace paro::cli {

struct PeerResult {
  double prefill_tokens_per_s = 0;
  double decode_tokens_per_s = 0;
};

class LlamaBench {
 public:
  // "llama-bench:PATH:GGUF". Throws Error{usage}.
  explicit LlamaBench(const std::string& spec);

  // One repetition. Throws Error{io} when it cannot be run or says something else than was asked.
  PeerResult run(int n_prompt, int n_decode, int n_threads) const;

 private:
  std::filesystem::path program_, model_;
};

}  // namespace paro::cli
