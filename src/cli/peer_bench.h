// Other programs' benchmarks, run between our own measurements on files of their own.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "cli/peer_output.h"

namespace paro::cli {

// What a peer is to measure: as we do, from an empty context.
struct PeerWork {
  int n_prompt_tokens = 0;
  int n_decode_tokens = 0;  // of each sequence
  std::vector<int> batches;
  int n_threads = 1;
  std::chrono::seconds timeout{};
};

class Peer {
 public:
  // "[NAME=]llama-bench:PROGRAM:MODEL" or "[NAME=]batched-bench:PROGRAM:MODEL". Throws Error{usage}.
  explicit Peer(const std::string& spec);

  const std::string& name() const { return name_; }  // else the kind
  const std::string& kind() const;
  const std::string& model() const { return model_; }
  void add_arguments(const std::string& text);  // split at spaces

  // One repetition. Throws Error{io} when it cannot be run or does not say what it was asked for.
  PeerResult run(const PeerWork& work) const;

  struct Kind;

 private:
  const Kind* kind_ = nullptr;
  std::string name_, program_, model_;
  std::vector<std::string> arguments_;
};

// The peers of all --compare, each with its "NAME=ARGUMENTS" of --compare-args. Throws Error{usage}.
std::vector<Peer> make_peers(std::span<const std::string> specs, std::span<const std::string> arguments);

}  // namespace paro::cli
