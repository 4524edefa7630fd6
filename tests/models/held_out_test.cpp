// What the cpu backend as shipped costs on text: KL divergence of its distributions from the reference's, on the demo
// model, over conversations that it was not trained on and over its transcripts.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "engine/model_runner.h"
#include "tests/models/backends.h"
#include "tests/models/divergence.h"

namespace paro {
namespace {

using Sequences = std::vector<std::vector<int32_t>>;

// One sequence a line; tools/demo_model/held_out.py made them.
Sequences held_out() {
  std::ifstream file(std::filesystem::path(PARO_SOURCE_DIR) / "tests/goldens/demo_held_out.txt");
  Sequences sequences;
  for (std::string line; std::getline(file, line);) {
    std::istringstream ids(line);
    sequences.emplace_back(std::istream_iterator<int32_t>(ids), std::istream_iterator<int32_t>());
  }
  return sequences;
}

// Logits of every position of every sequence.
std::vector<std::vector<float>> logits(std::unique_ptr<Backend> backend, const Sequences& sequences) {
  constexpr int kChunk = 128;
  EngineOptions options;
  options.model = std::filesystem::path(PARO_SOURCE_DIR) / "models/demo";
  options.max_context = 512;
  options.max_batch = 1;
  options.prefill_chunk = kChunk;
  options.max_logit_rows = kChunk;
  ModelRunner runner(options, std::move(backend));
  std::vector<std::vector<float>> all;
  std::vector<StepRow> rows;
  for (const std::vector<int32_t>& ids : sequences) {
    const int n = int(ids.size());
    const int slot = runner.cache().open(n);
    for (int begin = 0; begin < n; begin += kChunk) {
      const int end = std::min(begin + kChunk, n);
      runner.cache().extend(slot, begin, end);
      rows.clear();
      for (int i = begin; i < end; ++i) rows.push_back({ids[size_t(i)], i, slot, true});
      const Tensor out = runner.run(rows);
      const float* row = out.f32();
      for (int i = begin; i < end; ++i, row += out.dim(1)) all.emplace_back(row, row + out.dim(1));
    }
    runner.cache().close(slot);
  }
  return all;
}

// One test for all sets, since the reference's logits are what takes long.
TEST(HeldOut, DistributionsAreTheReferencesOnEveryIsa) {
  const Sequences sequences = held_out();
  ASSERT_EQ(sequences.size(), 34u);
  const auto expected = logits(make_reference_backend(), sequences);
  ASSERT_EQ(expected.size(), 2458u);
  for (const test::BackendCase& backend : test::cpu_backends()) {
    const auto actual = logits(backend.make(2), sequences);
    std::vector<double> kl;
    for (size_t i = 0; i < expected.size(); ++i) kl.push_back(test::divergence(expected[i], actual[i]));
    const double mean = test::mean(kl);
    RecordProperty("mean_kl_" + backend.name, fmt::format("{:.2e}", mean));
    EXPECT_LT(mean, 1e-4) << backend.name;
    EXPECT_GE(mean, 0) << backend.name;
  }
}

}  // namespace
}  // namespace paro
