// Every architecture against logits, hidden states and greedy tokens from transformers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/reference/reference_backend.h"
#include "engine/model_runner.h"
#include "tests/models/golden.h"

namespace paro {
namespace {

using test::Golden;

class ReferenceGolden : public ::testing::TestWithParam<const char*> {};

std::vector<StepRow> rows_of(const Golden& golden) {
  std::vector<StepRow> rows;
  for (size_t i = 0; i < golden.input_ids.size(); ++i) rows.push_back({golden.input_ids[i], int32_t(i), 0, true});
  return rows;
}

EngineOptions options_for(const Golden& golden) {
  EngineOptions options;
  options.model = golden.directory;
  options.max_context = 128;
  options.max_batch = 2;
  options.prefill_chunk = 64;
  options.max_logit_rows = 64;
  return options;
}

TEST_P(ReferenceGolden, LogitsAndHiddenStatesMatchTransformers) {
  const Golden golden = Golden::load(GetParam());
  ModelRunner runner(options_for(golden), make_reference_backend());
  const auto rows = rows_of(golden);
  const int slot = runner.cache().open(int(rows.size()));
  runner.cache().extend(slot, 0, int(rows.size()));

  size_t n_seen = 0;
  const HiddenObserver observer = [&](int index, Tensor hidden) {
    const std::vector<float>& expected = golden.hidden.at(size_t(index));
    ASSERT_EQ(hidden.n_elements(), int64_t(expected.size()));
    float largest = 0, worst = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      worst = std::max(worst, std::abs(expected[i] - hidden.f32()[i]));
    }
    EXPECT_LE(worst, 3e-5f * largest) << "hidden." << index;
    ++n_seen;
  };
  const Tensor logits = runner.run(rows, &observer);
  EXPECT_EQ(n_seen, golden.hidden.size());
  ASSERT_EQ(logits.n_elements(), int64_t(golden.logits.size()));
  float worst = 0;
  for (size_t i = 0; i < golden.logits.size(); ++i)
    worst = std::max(worst, std::abs(golden.logits[i] - logits.f32()[i]));
  EXPECT_LE(worst, 5e-5f);
  RecordProperty("worst_logit_difference", std::to_string(worst));
}

TEST_P(ReferenceGolden, GreedyTokensMatchTransformers) {
  const Golden golden = Golden::load(GetParam());
  ModelRunner runner(options_for(golden), make_reference_backend());
  std::vector<StepRow> rows = rows_of(golden);
  for (StepRow& row : rows) row.wants_logits = false;
  rows.back().wants_logits = true;
  const int slot = runner.cache().open(int(rows.size() + golden.greedy.size()));
  int position = 0;
  for (const int32_t expected : golden.greedy) {
    const int end = position + int(rows.size());
    runner.cache().extend(slot, position, end);
    const Tensor logits = runner.run(rows);
    const float* begin = logits.f32();
    const auto token = int32_t(std::max_element(begin, begin + logits.dim(1)) - begin);
    ASSERT_EQ(token, expected) << "at position " << end;
    position = end;
    rows = {{token, position, slot, true}};
  }
}

INSTANTIATE_TEST_SUITE_P(Gemma4, ReferenceGolden, ::testing::Values("gemma4-moe", "gemma4-31b", "gemma4-e2b"));

}  // namespace
}  // namespace paro
