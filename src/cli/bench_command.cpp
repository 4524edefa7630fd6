// paro bench: what the machine does with a model, in physical units. Repetitions of everything are interleaved, so that
// a machine that slows down slows all figures alike, and reported as median, least and most.
#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <random>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/bandwidth.h"
#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/disk_probe.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "cli/peer_bench.h"
#include "engine/model_runner.h"

namespace paro::cli {
namespace {

namespace json = boost::json;

struct Figure {
  std::vector<double> samples;

  double median() const {
    std::vector<double> s = samples;
    std::sort(s.begin(), s.end());
    return (s[(s.size() - 1) / 2] + s[s.size() / 2]) / 2;
  }
  double least() const { return *std::min_element(samples.begin(), samples.end()); }
  double most() const { return *std::max_element(samples.begin(), samples.end()); }
  std::string text(const char* unit, double divisor = 1) const {
    return fmt::format("{:10.2f} {:<9} ({:.2f} to {:.2f})", median() / divisor, unit, least() / divisor,
                       most() / divisor);
  }
  json::object json() const { return {{"median", median()}, {"min", least()}, {"max", most()}}; }
};

struct DecodeFigure {
  int batch = 1;
  Figure tokens_per_s;
  StepBytes step;

  double bytes_per_s() const { return step.total() * tokens_per_s.median() / batch; }
};

class Clock {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Runs steps of random tokens; what they are makes no difference to dense layers, and spreads over the experts.
class Runs {
 public:
  explicit Runs(ModelRunner& runner) : runner_(runner) {}

  double prefill_seconds(int n_tokens) {
    const int slot = runner_.cache().open(n_tokens);
    const int chunk = runner_.report().prefill_chunk;
    const Clock clock;
    for (int begin = 0; begin < n_tokens; begin += chunk) {
      const int end = std::min(begin + chunk, n_tokens);
      runner_.cache().extend(slot, begin, end);
      rows_.clear();
      for (int i = begin; i < end; ++i) rows_.push_back({token(), i, slot, i + 1 == n_tokens});
      runner_.run(rows_);
    }
    const double seconds = clock.seconds();
    runner_.cache().close(slot);
    return seconds;
  }

  // One token of every sequence a step, from an empty context.
  double decode_seconds(int batch, int n_tokens) {
    std::vector<int> slots;
    for (int i = 0; i < batch; ++i) slots.push_back(runner_.cache().open(n_tokens));
    const Clock clock;
    for (int position = 0; position < n_tokens; ++position) {
      rows_.clear();
      for (const int slot : slots) {
        runner_.cache().extend(slot, position, position + 1);
        rows_.push_back({token(), position, slot, true});
      }
      const Tensor logits = runner_.run(rows_);
      for (int64_t row = 0; row < logits.dim(0); ++row) {
        const float* begin = logits.f32() + row * logits.dim(1);
        best_ += std::max_element(begin, begin + logits.dim(1)) - begin;
      }
    }
    const double seconds = clock.seconds();
    for (const int slot : slots) runner_.cache().close(slot);
    return seconds;
  }

 private:
  int32_t token() { return int32_t(random_() % uint64_t(runner_.spec().vocab_size)); }

  ModelRunner& runner_;
  std::mt19937_64 random_{1};
  std::vector<StepRow> rows_;
  int64_t best_ = 0;  // what greedy sampling costs is part of a step
};

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
    app.add_option("--repetitions", n_repetitions_, "Of every measurement")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_option("--compare", compare_, "llama-bench:PROGRAM:MODEL.gguf, run between our own repetitions");
    app.add_flag("--disk", disk_, "Also read the model's files from the disk, all of them, as fast as it gives them");
    app.add_flag("--json", json_, "Print the figures as JSON");
    common_.add_to(app);
  }

  int run() override {
    check_model_directory(model_);
    std::optional<LlamaBench> peer;
    if (!compare_.empty()) peer.emplace(compare_);
    EngineOptions options = common_.engine_options(model_);
    const int largest = *std::max_element(batches_.begin(), batches_.end());
    if (options.max_context == 0) options.max_context = std::max(n_prompt_, n_decode_);
    if (options.max_batch == 0) options.max_batch = largest;
    if (options.max_batch < largest || options.max_context < std::max(n_prompt_, n_decode_)) {
      throw Error(ErrorKind::usage, "--max-batch {} and --max-context {} are less than is to be measured",
                  options.max_batch, options.max_context);
    }
    options.other_memory = {{"bandwidth probe", BandwidthProbe::kBytes, 0}};
    if (disk_) options.other_memory.push_back({"disk probe", DiskSpeed::kProbeBytes, 0});
    auto backend = common_.make_backend();
    const int n_threads = common_.n_threads();
    ModelRunner runner(options, std::move(backend), progress_bar("loading"));
    BandwidthProbe probe(n_threads);
    measure(runner, probe, peer, n_threads);
    if (disk_) disk_speed_ = probe_disk(SafetensorsFiles::open(model_).files());
    for (DecodeFigure& figure : decode_) {
      figure.step = step_bytes(runner, runner.cache(), options, figure.batch, n_decode_ / 2);
    }
    if (json_) {
      print_json(to_json(runner, n_threads));
    } else {
      print(to_text(runner, n_threads));
    }
    return 0;
  }

 private:
  void measure(ModelRunner& runner, BandwidthProbe& probe, const std::optional<LlamaBench>& peer, int n_threads) {
    Runs runs(runner);
    for (const int batch : batches_) decode_.push_back({batch, {}, {}});
    const auto note = progress_bar("measuring");
    const int64_t n_all = n_repetitions_ + 1;
    // The first pass warms caches and clocks, and is not counted.
    for (int i = 0; i <= n_repetitions_; ++i) {
      const auto keep = [&](Figure& figure, double value) {
        if (i > 0) figure.samples.push_back(value);
      };
      keep(probe_, probe.bytes_per_s());
      keep(prefill_, n_prompt_ / runs.prefill_seconds(n_prompt_));
      for (DecodeFigure& figure : decode_) {
        const int n_steps = i > 0 ? n_decode_ : std::min(n_decode_, 4);
        keep(figure.tokens_per_s, figure.batch * n_steps / runs.decode_seconds(figure.batch, n_steps));
      }
      if (peer && i > 0) {
        const PeerResult result = peer->run(n_prompt_, n_decode_, n_threads);
        peer_prefill_.samples.push_back(result.prefill_tokens_per_s);
        peer_decode_.samples.push_back(result.decode_tokens_per_s);
      }
      if (note) note(i + 1, n_all);
    }
  }

  std::string to_text(const ModelRunner& runner, int n_threads) const {
    std::string out = fmt::format("{}, {}, {} threads; {} repetitions: median (least to most)\n", model_.string(),
                                  runner.backend().name(), n_threads, n_repetitions_);
    out += fmt::format("load       {:10.2f} GB/s      {:.2f} GB of weights in {:.2f} s\n",
                       double(runner.stored_bytes()) / runner.load_seconds() / 1e9, double(runner.stored_bytes()) / 1e9,
                       runner.load_seconds());
    if (disk_speed_) {
      out += fmt::format("disk       {:10.2f} GB/s      {}\n", disk_speed_->bytes_per_s / 1e9,
                         disk_speed_->direct ? "the same files" : "the same files, in part from the page cache");
    }
    out += fmt::format("memory     {}\n", probe_.text("GB/s", 1e9));
    out += fmt::format("prefill    {}, {} tokens\n", prefill_.text("tokens/s"), n_prompt_);
    for (const DecodeFigure& figure : decode_) {
      out += fmt::format("decode x{:<2} {}, {:.1f} MB a token, {:.2f} GB/s, {:.0f} % of memory\n", figure.batch,
                         figure.tokens_per_s.text("tokens/s"), figure.step.total() / figure.batch / 1e6,
                         figure.bytes_per_s() / 1e9, 100 * figure.bytes_per_s() / probe_.median());
    }
    if (!peer_prefill_.samples.empty()) {
      out += fmt::format("llama-bench prefill {}, paro is {:.2f} times as fast\n", peer_prefill_.text("tokens/s"),
                         prefill_.median() / peer_prefill_.median());
      if (const DecodeFigure* single = single_decode()) {
        out += fmt::format("llama-bench decode  {}, paro is {:.2f} times as fast\n", peer_decode_.text("tokens/s"),
                           single->tokens_per_s.median() / peer_decode_.median());
      }
    }
    return out;
  }

  json::object to_json(const ModelRunner& runner, int n_threads) const {
    json::array decode;
    for (const DecodeFigure& figure : decode_) {
      decode.push_back({{"batch", figure.batch},
                        {"tokens", n_decode_},
                        {"tokens_per_s", figure.tokens_per_s.json()},
                        {"bytes_per_step", figure.step.total()},
                        {"bytes_per_token", figure.step.total() / figure.batch},
                        {"bytes_per_s", figure.bytes_per_s()},
                        {"part_of_memory", figure.bytes_per_s() / probe_.median()}});
    }
    json::object out = {{"model", model_.string()},
                        {"backend", runner.backend().name()},
                        {"threads", n_threads},
                        {"repetitions", n_repetitions_},
                        {"load",
                         {{"bytes", runner.stored_bytes()},
                          {"seconds", runner.load_seconds()},
                          {"bytes_per_s", double(runner.stored_bytes()) / runner.load_seconds()}}},
                        {"memory_bytes_per_s", probe_.json()},
                        {"prefill", {{"tokens", n_prompt_}, {"tokens_per_s", prefill_.json()}}},
                        {"decode", std::move(decode)}};
    if (disk_speed_) out["disk"] = {{"bytes_per_s", disk_speed_->bytes_per_s}, {"direct", disk_speed_->direct}};
    if (!peer_prefill_.samples.empty()) {
      json::object peer = {{"prefill_tokens_per_s", peer_prefill_.json()},
                           {"decode_tokens_per_s", peer_decode_.json()},
                           {"prefill_ratio", prefill_.median() / peer_prefill_.median()}};
      if (const DecodeFigure* single = single_decode()) {
        peer["decode_ratio"] = single->tokens_per_s.median() / peer_decode_.median();
      }
      out["llama_bench"] = std::move(peer);
    }
    return out;
  }

  const DecodeFigure* single_decode() const {
    const auto found = std::find_if(decode_.begin(), decode_.end(), [](const auto& f) { return f.batch == 1; });
    return found == decode_.end() ? nullptr : &*found;
  }

  std::filesystem::path model_;
  int n_prompt_ = 512, n_decode_ = 64, n_repetitions_ = 5;
  std::vector<int> batches_ = {1};
  std::string compare_;
  bool json_ = false, disk_ = false;
  CommonOptions common_;
  std::optional<DiskSpeed> disk_speed_;

  Figure probe_, prefill_, peer_prefill_, peer_decode_;
  std::vector<DecodeFigure> decode_;
};

}  // namespace

std::unique_ptr<Command> make_bench() { return std::make_unique<Bench>(); }

}  // namespace paro::cli
