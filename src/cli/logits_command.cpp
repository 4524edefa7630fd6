// paro logits: the model's raw output for given token ids, for comparison with other implementations. Runs in chunks,
// so that any length that the context holds can be written.
#include <algorithm>

#include "base/error.h"
#include "checkpoint/safetensors.h"
#include "cli/command.h"
#include "cli/common_options.h"
#include "cli/model_files.h"
#include "cli/output.h"
#include "engine/model_runner.h"

namespace paro::cli {
namespace {

namespace fs = std::filesystem;

// Logits of one row are a vocabulary wide: few rows at a time, unless told otherwise.
constexpr int kChunk = 32;

std::vector<int32_t> read_input_ids(const fs::path& file) {
  const SafetensorsFiles files = SafetensorsFiles::open_file(file);
  const StoredTensor* stored = files.find("input_ids");
  if (stored == nullptr) {
    throw Error(ErrorKind::checkpoint, "'{}' holds no tensor 'input_ids', expected one of I32 [T]", file.string());
  }
  if (stored->dtype != DType::i32 || stored->shape.rank() != 1 || stored->shape[0] == 0) {
    throw Error(ErrorKind::checkpoint, "'input_ids' is {} {}, expected I32 [T] with T at least 1, in '{}'",
                to_string(stored->dtype), to_string(stored->shape), file.string());
  }
  std::vector<int32_t> ids(size_t(stored->shape[0]));
  files.read(*stored, 0, std::as_writable_bytes(std::span(ids)));
  return ids;
}

class Logits final : public Command {
 public:
  void add_flags(CLI::App& app) override {
    add_model(app, model_);
    app.add_option("--input-ids", input_, "Safetensors file with input_ids, I32 [T]")->required();
    app.add_option("--out", output_, "Safetensors file to write: logits, F32 [T, vocabulary]")->required();
    common_.add_to(app);
  }

  int run() override {
    check_model_directory(model_);
    const std::vector<int32_t> ids = read_input_ids(input_);
    EngineOptions options = common_.engine_options(model_);
    if (ids.size() > size_t(1) << 24) {
      throw Error(ErrorKind::context_length, "input_ids has {} tokens, more than any context", ids.size());
    }
    if (options.max_context == 0) options.max_context = int(ids.size());
    if (options.max_context < int(ids.size())) {
      throw Error(ErrorKind::context_length, "input_ids has {} tokens, --max-context is {}", ids.size(),
                  options.max_context);
    }
    options.max_batch = 1;
    if (options.prefill_chunk == 0) options.prefill_chunk = kChunk;
    options.max_logit_rows = options.prefill_chunk;
    ModelRunner runner(options, common_.make_backend(), progress_bar("loading"));
    check_ids(ids, runner.spec().vocab_size);

    const TensorToWrite logits{
        "logits", DType::f32, {int64_t(ids.size()), runner.spec().vocab_size}, [&](const auto& sink) {
          run_chunks(runner, ids, sink);
        }};
    write_safetensors(output_, {&logits, 1});
    return 0;
  }

 private:
  void check_ids(std::span<const int32_t> ids, int vocab_size) const {
    for (const int32_t id : ids) {
      if (id >= 0 && id < vocab_size) continue;
      throw Error(ErrorKind::request, "input_ids holds {}, expected 0 to {}, in '{}'", id, vocab_size - 1,
                  input_.string());
    }
  }

  static void run_chunks(ModelRunner& runner, std::span<const int32_t> ids,
                         const std::function<void(std::span<const std::byte>)>& sink) {
    const int slot = runner.cache().open(int(ids.size()));
    const auto chunk = size_t(runner.report().prefill_chunk);
    std::vector<StepRow> rows;
    for (size_t begin = 0; begin < ids.size(); begin += chunk) {
      const size_t end = std::min(begin + chunk, ids.size());
      runner.cache().extend(slot, int(begin), int(end));
      rows.clear();
      for (size_t i = begin; i < end; ++i) rows.push_back({ids[i], int32_t(i), slot, true});
      const Tensor logits = runner.run(rows);
      sink({logits.data, size_t(logits.n_bytes())});
    }
  }

  fs::path model_, input_, output_;
  CommonOptions common_;
};

}  // namespace

std::unique_ptr<Command> make_logits() { return std::make_unique<Logits>(); }

}  // namespace paro::cli
