#include "engine/step_lanes.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "engine/model_runner.h"

namespace paro {
namespace {

struct Rows {
  int n = 1;
  bool wants_logits = true;  // of the last
};

Rows prompt(int n) { return {n, false}; }

// Rows of each lane, when sequences of so many rows are cut; empty: they are not.
std::vector<int> cut(const std::vector<Rows>& sequences, size_t n_lanes, int max_rows = 64) {
  std::vector<StepRow> rows;
  for (size_t slot = 0; slot < sequences.size(); ++slot) {
    for (int i = 0; i < sequences[slot].n; ++i) rows.push_back({.position = i, .slot = int32_t(slot)});
    rows.back().wants_logits = sequences[slot].wants_logits;
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

std::vector<Rows> answers(size_t n) { return std::vector<Rows>(n); }
std::vector<Rows> answers_and(size_t n, const std::vector<Rows>& more) {
  std::vector<Rows> all(n);
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

using Sizes = std::vector<int>;

TEST(StepLanes, AnswersAreSharedEvenly) {
  EXPECT_EQ(cut(answers(2), 2), (Sizes{1, 1}));
  EXPECT_EQ(cut(answers(3), 2), (Sizes{2, 1}));
  EXPECT_EQ(cut(answers(16), 2), (Sizes{8, 8}));
  EXPECT_EQ(cut(answers(16), 3), (Sizes{5, 6, 5}));
}

TEST(StepLanes, ASequenceStaysInOneLane) {
  EXPECT_EQ(cut(answers_and(8, {prompt(14)}), 2), (Sizes{8, 14}));
  EXPECT_EQ(cut({prompt(20), prompt(3), prompt(1), prompt(16)}, 2), (Sizes{20, 20}));
}

TEST(StepLanes, AnAnswersRowWeighsMoreThanAPrompts) {
  EXPECT_EQ(cut(answers_and(8, {prompt(12), prompt(24)}), 2), (Sizes{20, 24}));
  EXPECT_EQ(cut(answers_and(20, {prompt(6)}), 2), (Sizes{12, 14}));
}

TEST(StepLanes, WhatIsUnevenStaysWhole) {
  EXPECT_EQ(cut(answers(1), 2), Sizes());
  EXPECT_EQ(cut({prompt(7)}, 2), Sizes());
  EXPECT_EQ(cut(answers(2), 3), Sizes());
  EXPECT_EQ(cut(answers_and(3, {prompt(40)}), 2), Sizes());
  EXPECT_EQ(cut({prompt(40), prompt(1), prompt(1), prompt(1)}, 2), Sizes());
  EXPECT_EQ(cut({prompt(30), prompt(30)}, 2, /*max_rows=*/29), Sizes());
}

TEST(StepLanes, ALongPromptIsCutShortBesideEnoughOthers) {
  EXPECT_EQ(even_rows(15, 0, 1), 0);
  EXPECT_EQ(even_rows(15, 0, 2), 26);
  EXPECT_EQ(even_rows(0, 32, 2), 32);
  EXPECT_EQ(even_rows(0, 32, 3), 16);
  EXPECT_EQ(even_rows(4, 0, 2), 0);
  EXPECT_EQ(cut(answers_and(15, {prompt(26)}), 2), (Sizes{15, 26}));
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
