// paro bench: what the machine does with a model, in physical units. Repetitions of everything are interleaved, so that
// a machine that slows down slows all figures alike, and reported as median, least and most.
#include <algorithm>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include "base/align.h"
#include "base/error.h"
#include "cli/bandwidth.h"
#include "cli/bench_report.h"
#include "cli/bench_steps.h"
#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/disk_probe.h"
#include "cli/integer_peak.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "cli/peer_bench.h"
#include "cli/step_bytes.h"
#include "cli/step_work.h"

namespace paro::cli {
namespace {

class Bench final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    add_model(app, model_);
    app.add_option("--prompt-tokens", n_prompt_, "Tokens of a prefill")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    app.add_option("--decode-tokens", n_decode_, "Tokens that each sequence decodes, from an empty context")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    app.add_option("--batch", batches_, "Sequences decoded at once; may be a list: 1,4,8")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    app.add_option("--depth", depth_, "Decode also after this many tokens, which are not computed")
        ->check(CLI::Range(1, 1 << 24));
    app.add_flag("--mixed", mixed_, "Run also steps of 256 prompt tokens and a token of every sequence");
    app.add_option("--repetitions", n_repetitions_, "Of every measurement")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_option("--compare", compare_,
                   "[NAME=]llama-bench:PROGRAM:MODEL.gguf or [NAME=]batched-bench:PROGRAM:MODEL.gguf, run between our "
                   "own repetitions; may be repeated")
        ->allow_extra_args(false);
    app.add_option("--compare-args", compare_arguments_, "NAME=ARGUMENTS that a --compare is given, split at spaces")
        ->allow_extra_args(false);
    app.add_option("--compare-timeout", compare_timeout_s_, "Seconds that a repetition of a --compare may take")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    app.add_flag("--disk", disk_, "Also measure how fast the disk gives the model's files");
    app.add_flag("--json", json_, "Print the figures as JSON");
    common_.add_to(app);
  }

  int run() override {
    check_model_directory(model_);
    const std::vector<Peer> peers = make_peers(compare_, compare_arguments_);
    const EngineOptions options = engine_options();
    auto own_backend = common_.make_backend();
    Backend& backend = *own_backend;
    ModelRunner runner(options, std::move(own_backend), progress_bar("loading"));
    measure(runner, peers);
    add_facts(runner, backend, options);
    if (json_) {
      print_json(to_json(figures_));
    } else {
      print(to_table(figures_));
    }
    return 0;
  }

 private:
  // Sizes that hold all that is to be measured, unless they are given.
  EngineOptions engine_options() const {
    EngineOptions options = common_.engine_options(model_);
    const int mixed_context = mixed_ ? BenchSteps::kMixedChunk : 0;
    const int context = std::max({n_prompt_, depth_ + n_decode_, mixed_context});
    const int batch = *std::max_element(batches_.begin(), batches_.end()) + (mixed_ ? 1 : 0);
    if (options.max_context == 0) options.max_context = context;
    if (options.max_batch == 0) options.max_batch = batch;
    if (options.max_batch < batch || options.max_context < context) {
      throw Error(ErrorKind::usage, "--max-batch {} and --max-context {} are less than is to be measured: {} and {}",
                  options.max_batch, options.max_context, batch, context);
    }
    options.other_memory = {{"bandwidth probe", BandwidthProbe::kBytes, 0}};
    if (disk_) options.other_memory.push_back({"disk probe", DiskSpeed::kProbeBytes, 0});
    if (common_.is_cpu()) {
      options.other_memory.push_back({"integer probe", common_.n_threads() * IntegerPeakProbe::kThreadBytes, 0});
    }
    return options;
  }

  void measure(ModelRunner& runner, const std::vector<Peer>& peers) {
    const int n_threads = common_.n_threads();
    BandwidthProbe memory(n_threads);
    std::optional<IntegerPeakProbe> integers;
    if (common_.is_cpu()) integers.emplace(n_threads, common_.isa());
    const SafetensorsFiles files = SafetensorsFiles::open(model_);
    std::optional<DiskProbe> disk;
    if (disk_) disk.emplace(files.files());
    BenchSteps steps(runner);
    const PeerWork peer_work{n_prompt_, n_decode_, batches_, n_threads, std::chrono::seconds(compare_timeout_s_)};
    BenchFigures& f = figures_;
    for (const int batch : batches_) {
      f.decode.push_back({batch, {}, {}, {}});
      if (depth_ > 0) f.at_depth.push_back({batch, {}, {}});
      if (mixed_) f.mixed.push_back({batch, steps.mixed_chunk(batch), {}, {}});
    }
    for (const Peer& peer : peers) f.peers.push_back({peer.name(), peer.kind(), peer.model(), {}, {}});

    const auto note = progress_bar("measuring");
    // The first pass warms caches and clocks, and is not counted.
    for (int i = 0; i <= n_repetitions_; ++i) {
      const bool counts = i > 0;
      const auto keep = [&](Samples& samples, double value) {
        if (counts) samples.add(value);
      };
      keep(f.memory_bytes_per_s, memory.bytes_per_s());
      if (integers) keep(f.integer_ops_per_s, integers->ops_per_s());
      if (disk) {
        const DiskSpeed speed = disk->measure();
        keep(f.disk_bytes_per_s, speed.bytes_per_s);
        f.disk_is_direct &= speed.direct;
      }
      const auto keep_stream = [&](StreamFigure& stream, const ExpertStats& before, double seconds, int n_steps) {
        if (counts) stream.add(before, runner.expert_stats(), seconds, n_steps);
      };
      ExpertStats before = runner.expert_stats();
      const double prefill_seconds = steps.prefill_seconds(n_prompt_);
      keep(f.prefill_tokens_per_s, n_prompt_ / prefill_seconds);
      keep_stream(f.prefill_stream, before, prefill_seconds, ceil_div(n_prompt_, runner.report().prefill_chunk));
      const int n_tokens = counts ? n_decode_ : std::min(n_decode_, 4);
      std::vector<double> step_seconds;
      for (DecodeFigure& d : f.decode) {
        before = runner.expert_stats();
        step_seconds.push_back(steps.decode_seconds(d.batch, 0, n_tokens) / n_tokens);
        keep(d.tokens_per_s, d.batch / step_seconds.back());
        keep_stream(d.stream, before, step_seconds.back() * n_tokens, n_tokens);
      }
      for (size_t k = 0; k < f.at_depth.size(); ++k) {
        DepthFigure& d = f.at_depth[k];
        const double seconds = steps.decode_seconds(d.batch, depth_, n_tokens) / n_tokens;
        keep(d.tokens_per_s, d.batch / seconds);
        keep(d.extra_seconds, seconds - step_seconds[k]);
      }
      for (MixedFigure& m : f.mixed) {
        const int n_steps = std::max(1, n_prompt_ / BenchSteps::kMixedChunk);
        const double seconds = steps.mixed_seconds(m.batch, n_steps) / n_steps;
        keep(m.prefill_tokens_per_s, m.chunk / seconds);
        keep(m.decode_tokens_per_s, m.batch / seconds);
      }
      for (size_t k = 0; k < peers.size() && counts; ++k) add_peer(f.peers[k], peers[k].run(peer_work));
      if (note) note(i + 1, n_repetitions_ + 1);
    }
  }

  static void add_peer(PeerFigure& figure, const PeerResult& result) {
    if (result.prefill_tokens_per_s > 0) figure.prefill_tokens_per_s.add(result.prefill_tokens_per_s);
    for (const PeerResult::Decode& d : result.decode) {
      auto found = std::find_if(figure.decode.begin(), figure.decode.end(),
                                [&](const PeerDecodeFigure& known) { return known.batch == d.batch; });
      if (found == figure.decode.end()) found = figure.decode.insert(found, {d.batch, {}});
      found->tokens_per_s.add(d.tokens_per_s);
    }
  }

  void add_facts(ModelRunner& runner, Backend& backend, const EngineOptions& options) {
    BenchFigures& f = figures_;
    f.model = model_.string();
    f.backend = runner.backend().name();
    f.processor = this_processor();
    f.n_threads = common_.n_threads();
    f.n_repetitions = n_repetitions_;
    f.n_prompt_tokens = n_prompt_;
    f.n_decode_tokens = n_decode_;
    f.depth = depth_;
    f.stored_bytes = runner.stored_bytes();
    f.load_seconds = runner.load_seconds();
    f.experts = runner.expert_stats();
    f.expert_bytes = runner.slot_bytes();
    f.prefill_integer_ops = step_work(runner, runner.cache(), backend, options, n_prompt_, 1).integer_ops;
    const auto bytes = [&](int batch, int context) {
      return step_bytes(runner, runner.cache(), options, batch, context);
    };
    for (DecodeFigure& d : f.decode) d.step = bytes(d.batch, n_decode_ / 2);
    for (DepthFigure& d : f.at_depth) {
      d.cache_bytes = bytes(d.batch, depth_ + n_decode_ / 2).kv;
      d.extra_cache_bytes = d.cache_bytes - bytes(d.batch, n_decode_ / 2).kv;
    }
  }

  std::filesystem::path model_;
  int n_prompt_ = 512, n_decode_ = 64, n_repetitions_ = 5, depth_ = 0, compare_timeout_s_ = 900;
  std::vector<int> batches_ = {1};
  bool disk_ = false, mixed_ = false, json_ = false;
  std::vector<std::string> compare_, compare_arguments_;
  CommonOptions common_;

  BenchFigures figures_;
};

}  // namespace

std::unique_ptr<Command> make_bench() { return std::make_unique<Bench>(); }

}  // namespace paro::cli
