#include "engine/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>

#include "backends/reference/reference_backend.h"
#include "engine/model_runner.h"
#include "tests/base/temporary_directory.h"
#include "tests/models/edited_checkpoint.h"

namespace paro {
namespace {

const std::filesystem::path kGoldens = std::filesystem::path(PARO_SOURCE_DIR) / "tests/goldens";
const std::filesystem::path kModel = std::filesystem::path(PARO_SOURCE_DIR) / "models/demo";

MemoryPlan plan(const EngineOptions& options, bool with_files = true) {
  const auto backend = make_reference_backend();
  const ModelConfig config = ModelConfig::load(kModel);
  const SafetensorsFiles files = SafetensorsFiles::open(kModel);
  return plan_memory(options, config, with_files ? &files : nullptr, *backend);
}

EngineOptions options_with(int64_t budget_bytes) {
  EngineOptions options;
  options.model = kModel;
  options.memory_budget_bytes = budget_bytes;
  return options;
}

TEST(MemoryPlan, ClassesAddUpToTheTotal) {
  const MemoryReport report = plan(options_with(1 << 30)).report;
  int64_t sum = 0;
  for (const MemoryClass& c : report.classes) sum += c.plan_bytes;
  EXPECT_EQ(sum, report.plan_bytes);
  EXPECT_TRUE(report.fits);
  EXPECT_TRUE(report.fitting.empty());
}

TEST(MemoryPlan, ConfigAloneCountsTheSameWeights) {
  const MemoryPlan from_files = plan(options_with(1 << 30)), from_config = plan(options_with(1 << 30), false);
  EXPECT_EQ(from_files.weight_bytes, from_config.weight_bytes);
  EXPECT_EQ(from_files.arena_bytes, from_config.arena_bytes);
}

TEST(MemoryPlan, FitsInTheStatedOrder) {
  const int64_t all = plan(options_with(int64_t(1) << 40)).report.plan_bytes;
  MemoryReport report = plan(options_with(all - 1)).report;
  EXPECT_TRUE(report.fits);
  ASSERT_EQ(report.fitting.size(), 1u);
  EXPECT_TRUE(report.fitting[0].starts_with("sequences at once")) << report.fitting[0];

  // With the batch given, the next to shrink is the step.
  EngineOptions options = options_with(int64_t(1) << 40);
  options.max_batch = 1;
  options.memory_budget_bytes = plan(options).report.plan_bytes - 1;
  report = plan(options).report;
  EXPECT_TRUE(report.fits);
  ASSERT_EQ(report.fitting.size(), 1u);
  EXPECT_TRUE(report.fitting[0].starts_with("rows of a step")) << report.fitting[0];
}

TEST(MemoryPlan, GivenSizesAreKeptOrRefused) {
  EngineOptions options = options_with(60 << 20);
  options.max_context = 4096;
  options.max_batch = 4;
  options.prefill_chunk = 512;
  const MemoryReport report = plan(options).report;
  EXPECT_FALSE(report.fits);
  EXPECT_EQ(report.max_context, 4096);
  EXPECT_EQ(report.max_batch, 4);
  EXPECT_FALSE(report.suggestions.empty());
}

TEST(MemoryPlan, TooSmallABudgetIsRefusedWithNumbersBeforeLoading) {
  try {
    ModelRunner runner(options_with(8 << 20), make_reference_backend());
    FAIL() << "8 MiB are enough?";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::memory);
    EXPECT_NE(error.message().find("8.0 MiB"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("weights"), std::string::npos);
    EXPECT_NE(error.message().find("--memory-budget"), std::string::npos);
  }
}

TEST(MemoryPlan, WhatIsTakenIsWhatWasPlanned) {
  EngineOptions options = options_with(1 << 30);
  options.max_context = 512;
  options.max_batch = 1;
  options.prefill_chunk = 32;
  const ModelRunner runner(options, make_reference_backend());
  for (const MemoryClass& c : runner.report().classes) {
    if (c.name == memory_class::kProgram) continue;
    EXPECT_EQ(c.actual_bytes, c.plan_bytes) << c.name;
  }
}

// A model whose per-layer embeddings are large.
class EmbeddingPlan : public ::testing::Test {
 protected:
  EmbeddingPlan() {
    std::string config = read_text_file(kGoldens / "gemma4-e2b/config.json", 1 << 20);
    EXPECT_TRUE(test::replace(config, "\"vocab_size_per_layer_input\": 384", "\"vocab_size_per_layer_input\": 65536"));
    directory_.write("config.json", config);
  }

  EngineOptions options() const {
    EngineOptions options = options_with(kEnough);
    options.model = directory_.path();
    return options;
  }
  // At sizes that are given.
  MemoryReport plan(std::optional<EmbeddingSource> source, int64_t budget_bytes) const {
    EngineOptions options = this->options();
    options.memory_budget_bytes = budget_bytes;
    options.max_context = 256;
    options.max_batch = 1;
    options.prefill_chunk = 32;
    options.embedding_source = source;
    return plan(options);
  }
  static MemoryReport plan(const EngineOptions& options) {
    const auto backend = make_reference_backend();
    return plan_memory(options, ModelConfig::load(options.model), nullptr, *backend).report;
  }
  static constexpr int64_t kEnough = 1 << 30;

 private:
  const test::TemporaryDirectory directory_;
};

TEST_F(EmbeddingPlan, RowsAreReadOnlyWhereTablesDoNotFit) {
  const MemoryReport in_memory = plan(EmbeddingSource::memory, kEnough), on_disk = plan(EmbeddingSource::disk, kEnough);
  ASSERT_LT(on_disk.plan_bytes, in_memory.plan_bytes);
  EXPECT_EQ(plan({}, in_memory.plan_bytes).plan_bytes, in_memory.plan_bytes);
  EXPECT_TRUE(plan({}, in_memory.plan_bytes).fitting.empty());

  const MemoryReport fitted = plan({}, in_memory.plan_bytes - 1);
  EXPECT_TRUE(fitted.fits);
  EXPECT_EQ(fitted.plan_bytes, on_disk.plan_bytes);
  ASSERT_EQ(fitted.fitting.size(), 1u);
  EXPECT_EQ(fitted.fitting[0], "embedding tables 96.0 MiB -> read from disk");
  EXPECT_TRUE(on_disk.fitting.empty()) << "it was asked for";
}

TEST_F(EmbeddingPlan, TablesThatMustBeInMemoryAreRefusedWithWhatWouldFit) {
  const int64_t needed = plan(EmbeddingSource::memory, kEnough).plan_bytes;
  const MemoryReport report = plan(EmbeddingSource::memory, needed - 1);
  EXPECT_FALSE(report.fits);
  const auto suggests = [&](std::string_view flag) {
    return std::any_of(report.suggestions.begin(), report.suggestions.end(),
                       [&](const std::string& s) { return s.starts_with(flag); });
  };
  EXPECT_TRUE(suggests("--embedding-source disk (")) << format_table(report);
  EXPECT_TRUE(suggests("--embedding-type int8 (")) << format_table(report);
}

TEST_F(EmbeddingPlan, RowsAreReadBeforeTheContextIsShortened) {
  EngineOptions options = this->options();
  const int64_t with_rows_on_disk = [&] {
    EngineOptions least = options;
    least.max_batch = 1;
    least.prefill_chunk = 32;
    least.embedding_source = EmbeddingSource::disk;
    return plan(least).plan_bytes;
  }();
  options.memory_budget_bytes = with_rows_on_disk;
  const MemoryReport report = plan(options);
  EXPECT_TRUE(report.fits);
  EXPECT_EQ(report.max_context, 512);
  ASSERT_EQ(report.fitting.size(), 3u);
  EXPECT_TRUE(report.fitting[2].starts_with("embedding tables")) << report.fitting[2];
}

TEST_F(EmbeddingPlan, FlagsForTablesThatAModelLacksAreRefused) {
  EngineOptions options = options_with(kEnough);
  options.model = kGoldens / "gemma4-moe";
  options.embedding_source = EmbeddingSource::disk;
  EXPECT_THROW(plan(options), Error);
  options.embedding_source = EmbeddingSource::memory;
  options.embedding_type = TableType::int4;
  EXPECT_THROW(plan(options), Error);
}

TEST(MemoryPlan, FlagsOutOfRangeAreRefused) {
  EngineOptions options = options_with(1 << 30);
  options.max_context = 4097;
  EXPECT_THROW(plan(options), Error);
  options.max_context = 0;
  options.max_batch = 64;
  options.prefill_chunk = 32;
  EXPECT_THROW(plan(options), Error);
}

}  // namespace
}  // namespace paro
