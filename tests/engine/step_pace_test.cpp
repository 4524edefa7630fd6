#include "engine/step_pace.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace paro {
namespace {

struct Machine {
  double decode_seconds, fixed_seconds, row_seconds;
  int max_rows;

  double step(int n_rows) const { return n_rows == 0 ? decode_seconds : fixed_seconds + n_rows * row_seconds; }
};

// As the engine asks: prompts of changing length, each in as many steps as it takes.
int settled(StepPace& pace, const Machine& machine, int n_prompts = 20) {
  for (int prompt = 0; prompt < n_prompts; ++prompt) {
    for (int left = 300 + 37 * (prompt % 7); left > 0;) {
      const int n = std::min({left, machine.max_rows, pace.prompt_rows()});
      pace.add(n, machine.step(n));
      left -= n;
    }
    pace.add(0, machine.step(0));
  }
  return pace.prompt_rows();
}

TEST(StepPaceTest, AStepWithPromptsTakesThreeTimesAsLongAsWithoutThem) {
  const Machine machine{.decode_seconds = 0.02, .fixed_seconds = 0.02, .row_seconds = 0.001, .max_rows = 512};
  StepPace pace;
  EXPECT_NEAR(machine.step(settled(pace, machine)), StepPace::kStretch * 0.02, 0.002);
}

TEST(StepPaceTest, WhatTheFirstRowCostsIsWorthAsManyRows) {
  // Every chunk reads all experts, whose reading is half a second.
  const Machine machine{.decode_seconds = 0.05, .fixed_seconds = 0.5, .row_seconds = 0.001, .max_rows = 2048};
  StepPace pace;
  EXPECT_NEAR(settled(pace, machine), (StepPace::kStretch - 1) * 0.5 / 0.001, 100);
}

TEST(StepPaceTest, PromptsOfOneLengthTellWithTheAnswersWhatARowCosts) {
  const Machine machine{.decode_seconds = 0.02, .fixed_seconds = 0.02, .row_seconds = 0.001, .max_rows = 512};
  StepPace pace;
  for (int i = 0; i < 30; ++i) {
    pace.add(0, machine.step(0));
    pace.add(100, machine.step(100));
  }
  EXPECT_NEAR(pace.prompt_rows(), (StepPace::kStretch - 1) * 20, 2);
}

TEST(StepPaceTest, ASlowerMachineIsNoticed) {
  StepPace pace;
  settled(pace, {.decode_seconds = 0.02, .fixed_seconds = 0.02, .row_seconds = 0.001, .max_rows = 512});
  const Machine slower{.decode_seconds = 0.02, .fixed_seconds = 0.02, .row_seconds = 0.0005, .max_rows = 512};
  EXPECT_NEAR(settled(pace, slower, 40), (StepPace::kStretch - 1) * 40, 4);
}

TEST(StepPaceTest, PromptsAlwaysGoOn) {
  StepPace pace;
  EXPECT_EQ(pace.prompt_rows(), StepPace::kFirstRows);
  pace.add(0, 1e-6);
  for (int i = 0; i < 10; ++i) pace.add(16 + i, 10.0);
  EXPECT_EQ(pace.prompt_rows(), StepPace::kFewestRows);
}

}  // namespace
}  // namespace paro
