#include "engine/step_lanes.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "engine/model_runner.h"

namespace paro {
namespace {

// Rows of each lane, when sequences of so many rows are cut; empty: they are not.
std::vector<int> cut(const std::vector<int>& sequences, size_t n_lanes, int max_rows = 64) {
  std::vector<StepRow> rows;
  for (size_t slot = 0; slot < sequences.size(); ++slot) {
    for (int i = 0; i < sequences[slot]; ++i) rows.push_back({.position = i, .slot = int32_t(slot)});
  }
  std::vector<std::span<const StepRow>> lanes(n_lanes);
  if (!cut_into_lanes(rows, max_rows, lanes)) return {};
  std::vector<int> sizes;
  const StepRow* next = rows.data();
  for (const auto& lane : lanes) {
    EXPECT_EQ(lane.data(), next);
    next += lane.size();
    sizes.push_back(int(lane.size()));
  }
  EXPECT_EQ(next, rows.data() + rows.size());
  return sizes;
}

using Sizes = std::vector<int>;

TEST(StepLanes, AnswersAreSharedEvenly) {
  EXPECT_EQ(cut({1, 1}, 2), (Sizes{1, 1}));
  EXPECT_EQ(cut({1, 1, 1}, 2), (Sizes{1, 2}));
  EXPECT_EQ(cut(Sizes(16, 1), 2), (Sizes{8, 8}));
  EXPECT_EQ(cut(Sizes(16, 1), 3), (Sizes{5, 5, 6}));
}

TEST(StepLanes, ASequenceStaysInOneLane) {
  EXPECT_EQ(cut({1, 1, 1, 1, 1, 5}, 2), (Sizes{5, 5}));
  EXPECT_EQ(cut({20, 3, 1, 16}, 2), (Sizes{20, 20}));
}

TEST(StepLanes, WhatIsUnevenStaysWhole) {
  EXPECT_EQ(cut({1}, 2), Sizes());
  EXPECT_EQ(cut({7}, 2), Sizes());
  EXPECT_EQ(cut({1, 1}, 3), Sizes());
  EXPECT_EQ(cut({1, 1, 1, 40}, 2), Sizes());
  EXPECT_EQ(cut({40, 1, 1, 1}, 2), Sizes());
  EXPECT_EQ(cut({30, 30}, 2, /*max_rows=*/29), Sizes());
}

TEST(StepLanes, ALongSequenceIsCutShortBesideEnoughOthers) {
  EXPECT_EQ(even_rows(15, 1), 0);
  EXPECT_EQ(even_rows(15, 2), 15);
  EXPECT_EQ(even_rows(32, 3), 16);
  EXPECT_EQ(even_rows(7, 2), 0);
}

LanePlan lanes_of_demo(int n_threads, int max_batch, int64_t n_expert_slots = 0) {
  EngineOptions options;
  options.model = std::filesystem::path(PARO_SOURCE_DIR) / "models/demo";
  options.max_context = 256;
  options.max_batch = max_batch;
  options.expert_slots = n_expert_slots;
  const auto backend = make_cpu_backend({n_threads, ""});
  return plan_memory(options, ModelConfig::load(options.model), nullptr, *backend).lanes;
}

TEST(StepLanes, AModelThatCachesHoldHasOneForEachThread) {
  EXPECT_EQ(lanes_of_demo(1, 8).n_lanes, 1);
  EXPECT_EQ(lanes_of_demo(2, 8).n_lanes, 2);
  EXPECT_EQ(lanes_of_demo(3, 8).n_lanes, 3);
}

TEST(StepLanes, NeitherTooFewSequencesNorStreamedExpertsHaveSome) {
  EXPECT_EQ(lanes_of_demo(3, 2).n_lanes, 1);
  EXPECT_EQ(lanes_of_demo(2, 8, /*n_expert_slots=*/16).n_lanes, 1);
}

}  // namespace
}  // namespace paro
