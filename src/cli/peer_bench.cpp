#include "cli/peer_bench.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "base/align.h"
#include "base/error.h"
#include "cli/child_process.h"

namespace paro::cli {

// A kind of benchmark program.
struct Peer::Kind {
  std::string name;
  std::vector<std::string> (*flags)(const PeerWork& work);
  Capture capture;  // where it prints its figures
  PeerResult (*parse)(std::string_view text);
  bool (*is_complete)(const PeerResult& result, const PeerWork& work);
  const char* figures;
};

namespace {

std::string decimal(int64_t value) { return std::to_string(value); }

std::vector<std::string> llama_bench_flags(const PeerWork& work) {
  return {"-p", decimal(work.n_prompt_tokens),
          "-n", decimal(work.n_decode_tokens),
          "-t", decimal(work.n_threads),
          "-r", "1",
          "-o", "json"};
}

// Sequences begin with one token each, and share a context that is cut evenly, in pieces of 256.
std::vector<std::string> batched_bench_flags(const PeerWork& work) {
  constexpr int64_t kPiece = 256;
  const int64_t largest = *std::max_element(work.batches.begin(), work.batches.end());
  return {"-c",   decimal(largest * round_up(int64_t(work.n_decode_tokens) + 1, kPiece)),
          "-npp", "1",
          "-ntg", decimal(work.n_decode_tokens),
          "-npl", fmt::format("{}", fmt::join(work.batches, ",")),
          "-t",   decimal(work.n_threads)};
}

bool has_batch(const PeerResult& result, int batch) {
  return std::any_of(result.decode.begin(), result.decode.end(), [&](const auto& d) { return d.batch == batch; });
}

const Peer::Kind kKinds[] = {
    {"llama-bench", llama_bench_flags, Capture::output, parse_llama_bench,
     [](const PeerResult& result, const PeerWork&) { return result.prefill_tokens_per_s > 0 && has_batch(result, 1); },
     "prefill and decoding"},
    {"batched-bench", batched_bench_flags, Capture::output_and_errors, parse_batched_bench,
     [](const PeerResult& result, const PeerWork& work) {
       return std::all_of(work.batches.begin(), work.batches.end(), [&](int b) { return has_batch(result, b); });
     },
     "decoding of every --batch"},
};

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

// "NAME=REST" in two; false: there is no name.
bool split_name(std::string_view text, std::string& name, std::string& rest) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || !is_name(text.substr(0, equals))) return false;
  name = text.substr(0, equals);
  rest = text.substr(equals + 1);
  return true;
}

}  // namespace

Peer::Peer(const std::string& spec) {
  std::string rest = spec;
  split_name(spec, name_, rest);
  const size_t first = rest.find(':');
  const size_t second = first == std::string::npos ? first : rest.find(':', first + 1);
  for (const Kind& kind : kKinds) {
    if (rest.substr(0, first) == kind.name) kind_ = &kind;
  }
  if (kind_ != nullptr && second != std::string::npos) {
    program_ = rest.substr(first + 1, second - first - 1);
    model_ = rest.substr(second + 1);
  }
  if (program_.empty() || model_.empty()) {
    throw Error(ErrorKind::usage,
                "--compare is '{}', expected [NAME=]llama-bench:PROGRAM:MODEL.gguf or "
                "[NAME=]batched-bench:PROGRAM:MODEL.gguf",
                spec);
  }
  if (name_.empty()) name_ = kind_->name;
}

const std::string& Peer::kind() const { return kind_->name; }

void Peer::add_arguments(const std::string& text) {
  std::istringstream words(text);
  for (std::string word; words >> word;) arguments_.push_back(word);
}

PeerResult Peer::run(const PeerWork& work) const {
  std::vector<std::string> command = {program_, "-m", model_};
  for (const auto& more : {kind_->flags(work), arguments_}) command.insert(command.end(), more.begin(), more.end());
  const PeerResult result = kind_->parse(run_child(command, kind_->capture, work.timeout));
  if (!kind_->is_complete(result, work)) {
    throw Error(ErrorKind::io, "'{}' printed no tokens per second for {}; run it by hand: {}", program_, kind_->figures,
                fmt::join(command, " "));
  }
  return result;
}

std::vector<Peer> make_peers(std::span<const std::string> specs, std::span<const std::string> arguments) {
  std::vector<Peer> peers;
  const auto find = [&](const std::string& name) {
    return std::find_if(peers.begin(), peers.end(), [&](const Peer& peer) { return peer.name() == name; });
  };
  for (const std::string& spec : specs) {
    Peer peer(spec);
    if (find(peer.name()) != peers.end()) {
      throw Error(ErrorKind::usage, "two --compare are called '{}'; give them names: --compare NAME={}", peer.name(),
                  spec);
    }
    peers.push_back(std::move(peer));
  }
  for (const std::string& text : arguments) {
    std::string name, words;
    const bool named = split_name(text, name, words);
    const auto peer = named ? find(name) : peers.end();
    if (peer == peers.end()) {
      throw Error(ErrorKind::usage, "--compare-args is '{}', expected NAME=ARGUMENTS with the name of a --compare",
                  text);
    }
    peer->add_arguments(words);
  }
  return peers;
}

}  // namespace paro::cli
