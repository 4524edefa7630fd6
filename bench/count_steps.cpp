// Runs one prefill and some decode steps of a model on one thread, the same each time, each in a function of its own
// that tools/instruction_counts.py has counted.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "engine/model_runner.h"

namespace {

constexpr int kPromptTokens = 64;
constexpr int kDecodeSteps = 16;

// Spread over the vocabulary, and so over the experts.
int32_t token_at(int position, int vocab_size) {
  return int32_t(uint32_t(position) * 2654435761u % uint32_t(vocab_size));
}

void run(paro::ModelRunner& runner, int slot, int begin, int end) {
  std::vector<paro::StepRow> rows;
  for (int i = begin; i < end; ++i)
    rows.push_back({token_at(i, runner.spec().vocab_size), i, slot, i + 1 == end, /*n_exact=*/1});
  runner.cache().extend(slot, begin, end);
  runner.run(rows);
}

}  // namespace

extern "C" {

[[gnu::noinline]] void paro_count_prefill(paro::ModelRunner& runner, int slot) { run(runner, slot, 0, kPromptTokens); }

[[gnu::noinline]] void paro_count_decode(paro::ModelRunner& runner, int slot) {
  for (int i = 0; i < kDecodeSteps; ++i) run(runner, slot, kPromptTokens + i, kPromptTokens + i + 1);
}
}

int main(int n_arguments, char** arguments) try {
  if (n_arguments != 3) {
    std::fprintf(stderr, "usage: count_steps MODEL ISA\n");
    return 2;
  }
  paro::EngineOptions options;
  options.model = arguments[1];
  options.max_context = kPromptTokens + kDecodeSteps;
  options.max_batch = 1;
  options.prefill_chunk = kPromptTokens;
  paro::ModelRunner runner(options, paro::make_cpu_backend({1, arguments[2]}));
  const int slot = runner.cache().open(options.max_context);
  paro_count_prefill(runner, slot);
  paro_count_decode(runner, slot);
  std::printf("{\"prefill_tokens\": %d, \"decode_steps\": %d, \"compiler\": \"%s\"}\n", kPromptTokens, kDecodeSteps,
              __VERSION__);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "count_steps: %s\n", error.what());
  return 1;
}
