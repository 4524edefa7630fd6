// paro synth: a checkpoint of random weights. Which tensors it has is asked of the model's own code, by binding it to
// the config without files; they are written one after the other, so that no size of model needs memory.
#include <algorithm>
#include <boost/json/object.hpp>
#include <fstream>

#include "backends/reference/reference_backend.h"
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/safetensors.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/random_tensors.h"
#include "cli/synth_config.h"
#include "models/model.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kShardBytes = int64_t(4) << 30;

int64_t stored_bytes(const WantedTensor& tensor) { return tensor.shape.n_elements() * size_bytes(tensor.dtype); }

std::vector<WantedTensor> wanted_tensors(const ModelConfig& config) {
  const auto backend = make_reference_backend();
  WeightBinder binder(*backend, config, nullptr, nullptr, {});
  find_architecture(config).make(config, binder);
  return binder.wanted();
}

std::vector<std::span<const WantedTensor>> cut_into_shards(std::span<const WantedTensor> tensors) {
  std::vector<std::span<const WantedTensor>> shards;
  size_t begin = 0;
  int64_t n_bytes = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t next = stored_bytes(tensors[i]);
    if (n_bytes > 0 && n_bytes + next > kShardBytes) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      n_bytes = 0;
    }
    n_bytes += next;
  }
  shards.push_back(tensors.subspan(begin));
  return shards;
}

void write_text(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) throw Error(ErrorKind::io, "cannot write '{}'", file.string());
}

class Synth final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    app.add_option("CONFIG", source_, "A config.json, or a directory that holds one")->required();
    app.add_option("OUT", out_, "Directory to write, which must not hold a model yet")->required();
    app.add_option("--layers", cut_.n_layers, "Keep only the first N layers")->check(CLI::PositiveNumber);
    app.add_option("--vocab", cut_.vocab_size, "Keep only N tokens of the vocabulary")->check(CLI::PositiveNumber);
    app.add_option("--seed", seed_, "The same seed writes the same bytes")->capture_default_str();
  }

  int run() override {
    const bool is_directory = fs::is_directory(source_);
    const std::string config_text = cut_down_config(is_directory ? source_ / "config.json" : source_, cut_);
    const ModelConfig config = ModelConfig::parse(config_text, (out_ / "config.json").string());
    const std::vector<WantedTensor> tensors = wanted_tensors(config);

    prepare_directory(tensors);
    write_text(out_ / "config.json", config_text);
    const RandomTensors random{seed_, config.model_type, config.group_size};
    const auto shards = cut_into_shards(tensors);
    boost::json::object weight_map;
    for (size_t i = 0; i < shards.size(); ++i) {
      const std::string name = shards.size() == 1
                                   ? "model.safetensors"
                                   : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
      write_shard(out_ / name, shards[i], random);
      for (const WantedTensor& tensor : shards[i]) weight_map[tensor.name] = name;
    }
    if (progress_) progress_(n_bytes_, n_bytes_);
    if (shards.size() > 1) {
      write_text(out_ / "model.safetensors.index.json",
                 to_text({{"metadata", {{"total_size", n_bytes_}}}, {"weight_map", std::move(weight_map)}}));
    }
    if (is_directory && cut_.vocab_size == 0) copy_text_files();
    print(fmt::format("wrote {} tensors, {}, to {}\n", tensors.size(), format_bytes(n_bytes_), out_.string()));
    return 0;
  }

 private:
  void prepare_directory(std::span<const WantedTensor> tensors) {
    for (const WantedTensor& tensor : tensors) n_bytes_ += stored_bytes(tensor);
    if (fs::exists(out_) && (!fs::is_directory(out_) || !fs::is_empty(out_))) {
      throw Error(ErrorKind::usage, "'{}' exists and is not empty; give OUT a new directory", out_.string());
    }
    std::error_code error;
    fs::create_directories(out_, error);
    if (error) throw Error(ErrorKind::io, "cannot create '{}': {}", out_.string(), error.message());
    const fs::space_info space = fs::space(out_, error);
    if (!error && space.available < uintmax_t(n_bytes_)) {
      throw Error(ErrorKind::io, "the checkpoint takes {}, the disk of '{}' has {} free; try fewer --layers",
                  format_bytes(n_bytes_), out_.string(), format_bytes(int64_t(space.available)));
    }
  }

  // In the order of the files that the safetensors library writes: the largest elements first, then by name. So the
  // parts of a matrix lie as far from each other as in a real checkpoint.
  void write_shard(const fs::path& file, std::span<const WantedTensor> wanted, const RandomTensors& random) {
    std::vector<WantedTensor> tensors(wanted.begin(), wanted.end());
    std::ranges::sort(tensors, [](const WantedTensor& a, const WantedTensor& b) {
      const int64_t of_a = size_bytes(a.dtype), of_b = size_bytes(b.dtype);
      return of_a != of_b ? of_a > of_b : a.name < b.name;
    });
    std::vector<TensorToWrite> writes;
    for (const WantedTensor& tensor : tensors) {
      writes.push_back({tensor.name, tensor.dtype, tensor.shape, [&](const auto& sink) {
                          random.fill(tensor, [&](std::span<const std::byte> piece) {
                            sink(piece);
                            n_written_bytes_ += int64_t(piece.size());
                          });
                          if (progress_) progress_(std::min(n_written_bytes_, n_bytes_ - 1), n_bytes_);
                        }});
    }
    write_safetensors(file, writes);
  }

  // So that the checkpoint can be served: what turns text into tokens is that of the source.
  void copy_text_files() const {
    for (const char* name :
         {"tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"}) {
      if (fs::exists(source_ / name)) fs::copy_file(source_ / name, out_ / name);
    }
  }

  fs::path source_, out_;
  CutDown cut_;
  uint64_t seed_ = 0;
  int64_t n_bytes_ = 0, n_written_bytes_ = 0;
  LoadProgress progress_ = progress_bar("writing");
};

}  // namespace

std::unique_ptr<Command> make_synth() { return std::make_unique<Synth>(); }

}  // namespace paro::cli
