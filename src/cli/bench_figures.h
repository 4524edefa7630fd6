// What `paro bench` measures: samples of everything, one a repetition, and the sizes that turn them into rates of bytes
// and operations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/processor.h"
#include "cli/step_bytes.h"
#include "engine/memory_report.h"

namespace paro::cli {

class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  bool empty() const { return values_.empty(); }
  const std::vector<double>& values() const { return values_; }

  // Of at least one sample.
  double median() const;
  double least() const;
  double most() const;

 private:
  std::vector<double> values_;
};

// What streaming experts comes to in one measurement; empty where all are resident.
struct StreamFigure {
  Samples hit_share;   // of the experts that steps ask for, those that are there
  Samples missed_mb;   // stored bytes of the others, of a step, in 10^6
  Samples read_mb;     // the same with guesses that did not come true
  Samples wait_share;  // of the time, when there is nothing to compute

  void add(const ExpertStats& before, const ExpertStats& after, double seconds, int n_steps);
};

// One token of each of `batch` sequences a step, from an empty context.
struct DecodeFigure {
  int batch = 1;
  Samples tokens_per_s;  // of all sequences
  StepBytes step;
  StreamFigure stream;

  double bytes_per_s() const { return step.total() * tokens_per_s.median() / batch; }
};

// The same after `depth` tokens that were never computed.
struct DepthFigure {
  int batch = 1;
  Samples tokens_per_s;
  Samples extra_seconds;         // of a step, over one of the same repetition without depth
  double cache_bytes = 0;        // read by a step
  double extra_cache_bytes = 0;  // over a step without depth

  double bytes_per_s() const { return extra_cache_bytes / extra_seconds.median(); }
};

// Steps of a piece of a prompt and one token of each of `batch` sequences.
struct MixedFigure {
  int batch = 1;
  int chunk = 0;  // prompt tokens of a step
  Samples prefill_tokens_per_s;
  Samples decode_tokens_per_s;
};

struct PeerDecodeFigure {
  int batch = 1;
  Samples tokens_per_s;
};

// What a peer measures of itself; it may know prefill, decoding, or both.
struct PeerFigure {
  std::string name;
  std::string kind;
  std::string model;
  Samples prefill_tokens_per_s;
  std::vector<PeerDecodeFigure> decode;
};

struct BenchFigures {
  std::string model;
  std::string backend;
  Processor processor;
  int n_threads = 0;
  int n_repetitions = 0;
  int n_prompt_tokens = 0;
  int n_decode_tokens = 0;  // of each sequence
  int depth = 0;

  int64_t stored_bytes = 0;
  double load_seconds = 0;
  Samples disk_bytes_per_s;    // empty: not asked for
  bool disk_is_direct = true;  // false: read through the page cache, which may have had some

  Samples memory_bytes_per_s;
  Samples integer_ops_per_s;  // empty for a backend without integer products
  ExpertStats experts;
  int64_t expert_bytes = 0;  // packed

  Samples prefill_tokens_per_s;
  StreamFigure prefill_stream;
  double prefill_integer_ops = 0;  // of all prompt tokens
  std::vector<DecodeFigure> decode;
  std::vector<DepthFigure> at_depth;
  std::vector<MixedFigure> mixed;
  std::vector<PeerFigure> peers;

  double prefill_integer_ops_per_s() const {
    return prefill_integer_ops / n_prompt_tokens * prefill_tokens_per_s.median();
  }
  const DecodeFigure* decode_of(int batch) const;  // null: not measured
};

}  // namespace paro::cli
