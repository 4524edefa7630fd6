// What the cpu backend's number formats cost: KL divergence of its distributions from those of transformers.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/model_runner.h"
#include "tests/models/backends.h"
#include "tests/models/divergence.h"
#include "tests/models/golden.h"

namespace paro {
namespace {

using test::BackendCase;
using test::Golden;

// Of every position of a golden from transformers' distribution.
std::vector<double> divergences(const Golden& golden, std::unique_ptr<Backend> backend, EngineOptions options = {}) {
  options.model = golden.directory;
  options.max_context = 64;
  options.max_batch = 1;
  options.prefill_chunk = 64;
  options.max_logit_rows = 64;
  ModelRunner runner(options, std::move(backend));
  const int n = int(golden.input_ids.size());
  const int slot = runner.cache().open(n);
  runner.cache().extend(slot, 0, n);
  std::vector<StepRow> rows;
  for (int i = 0; i < n; ++i) rows.push_back({golden.input_ids[size_t(i)], i, slot, true});
  const Tensor logits = runner.run(rows);

  const auto vocab = size_t(logits.dim(1));
  std::vector<double> kl;
  for (size_t i = 0; i < size_t(n); ++i) {
    kl.push_back(test::divergence({golden.logits.data() + i * vocab, vocab}, {logits.f32() + i * vocab, vocab}));
  }
  return kl;
}

class Divergence : public ::testing::TestWithParam<std::tuple<BackendCase, const char*>> {};

TEST_P(Divergence, StaysWithinWhatInt8ActivationsCost) {
  const auto& [backend, name] = GetParam();
  std::vector<double> kl = divergences(Golden::load(name), backend.make(2));
  const double mean = test::mean(kl);
  std::nth_element(kl.begin(), kl.begin() + int64_t(kl.size() / 2), kl.end());
  const double median = kl[kl.size() / 2];
  RecordProperty("median_kl", std::to_string(median));
  RecordProperty("mean_kl", std::to_string(mean));
  EXPECT_LT(median, 6e-4);
  EXPECT_LT(mean, 1.5e-3);
  EXPECT_GE(median, 0);
}

INSTANTIATE_TEST_SUITE_P(Gemma4, Divergence,
                         ::testing::Combine(::testing::ValuesIn(test::cpu_backends()),
                                            ::testing::Values("gemma4-moe", "gemma4-31b", "gemma4-e2b")),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param).name + "_" + std::get<1>(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

class EmbeddingDivergence : public ::testing::TestWithParam<BackendCase> {};

// The table of per-layer embeddings, in each type that it may be held in.
TEST_P(EmbeddingDivergence, StaysWithinWhatFewerBitsCost) {
  const Golden golden = Golden::load("gemma4-e2b");
  const auto mean_with = [&](const char* name, TableType type) {
    EngineOptions options;
    options.embedding_type = type;
    const double mean = test::mean(divergences(golden, GetParam().make(2), options));
    RecordProperty(fmt::format("mean_kl_{}", name), fmt::format("{:.2e}", mean));
    return mean;
  };
  const double as_stored = mean_with("f16", TableType::as_stored);
  EXPECT_LT(mean_with("int8", TableType::int8), as_stored + 3e-5);
  const double in_four_bits = mean_with("int4", TableType::int4);
  EXPECT_LT(in_four_bits, as_stored + 5e-4);
  EXPECT_GT(in_four_bits, as_stored) << "are they used?";
}

INSTANTIATE_TEST_SUITE_P(Gemma4, EmbeddingDivergence, ::testing::ValuesIn(test::all_backends()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace paro
