#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <climits>
#include <map>

#include "backends/reference/reference_backend.h"
#include "tests/engine/listener.h"

namespace paro {
namespace {

using namespace std::chrono_literals;

constexpr int kRows = 40, kBatch = 6, kContext = 2048;

class SchedulerTest : public ::testing::Test {
 protected:
  explicit SchedulerTest(std::optional<int64_t> prefix_bytes = std::nullopt, int n_lanes = 1)
      : backend_(make_reference_backend()),
        spec_{.sliding_window = 64, .kv_layers = {{1, 4, CacheKind::full}, {1, 4, CacheKind::sliding}}},
        layout_(*backend_, spec_, KvType::f32, kContext, kBatch, kRows, prefix_bytes),
        memory_(layout_.n_bytes, "test"),
        cache_(*backend_, spec_, KvType::f32, layout_, memory_.bytes()),
        scheduler_(kRows, kBatch, n_lanes) {}

  Sequence& add(int n_prompt, int32_t token) {
    GenerationRequest request;
    request.prompt.assign(size_t(n_prompt), token);
    request.max_tokens = 100;
    active_.push_back(std::make_unique<Sequence>(++last_id_, std::move(request), std::make_shared<test::Listener>()));
    active_.back()->slot = cache_.open(active_.back()->n_max(), KvCache::Sharing::both);
    return *active_.back();
  }

  // As if the rows had run. Returns how many of them each sequence had.
  std::map<const Sequence*, int> step(int max_prompt_rows = kRows) {
    scheduler_.compose(active_, cache_, max_prompt_rows);
    std::map<const Sequence*, int> n_rows;
    EXPECT_FALSE(scheduler_.rows().empty());
    EXPECT_LE(int(scheduler_.rows().size()), kRows);
    for (const StepRow& row : scheduler_.rows()) {
      for (Sequence* s : scheduler_.sequences()) {
        if (s->slot != row.slot) continue;
        EXPECT_EQ(row.position, s->n_cached);
        ++n_rows[s];
        ++s->n_cached;
        s->block[size_t(row.position % kPageTokens)] = row.token;
        if (s->n_cached % kPageTokens == 0) cache_.name_block(s->slot, s->block);
      }
    }
    return n_rows;
  }

  std::unique_ptr<Backend> backend_;
  ModelSpec spec_;
  KvLayout layout_;
  Buffer memory_;
  KvCache cache_;
  Scheduler scheduler_;
  Scheduler::Sequences active_;
  GenerationId last_id_ = 0;
};

TEST_F(SchedulerTest, EveryAnswerHasARowInEveryStep) {
  const Sequence& answer = add(5, 1);
  step();
  ASSERT_FALSE(answer.in_prefill());
  const Sequence& prompt = add(1500, 2);
  while (prompt.in_prefill()) {
    const auto n_rows = step();
    ASSERT_EQ(n_rows.at(&answer), 1);
    ASSERT_LE(n_rows.at(&prompt), kRows - 1);
  }
}

TEST_F(SchedulerTest, PromptsHaveFewerRowsOnlyWhileAnswersWaitForThem) {
  const Sequence& answer = add(35, 1);
  EXPECT_EQ(step(/*max_prompt_rows=*/10).at(&answer), 35);
  const Sequence& first = add(100, 2);
  const Sequence& second = add(100, 3);
  const auto n_rows = step(10);
  EXPECT_EQ(n_rows.at(&answer), 1);
  EXPECT_EQ(n_rows.at(&first) + n_rows.at(&second), 10);
}

TEST_F(SchedulerTest, AShortPromptBehindALongOneIsSoonDone) {
  const Sequence& first = add(1500, 1);
  const Sequence& second = add(1000, 2);
  step();
  const Sequence& brief = add(30, 3);
  step();
  step();
  EXPECT_FALSE(brief.in_prefill());
  EXPECT_TRUE(first.in_prefill());
  EXPECT_TRUE(second.in_prefill());
}

TEST_F(SchedulerTest, TheOldestPromptGetsHalfOfTheRoomHoweverManyShortOnesCome) {
  const Sequence& oldest = add(1500, 1);
  for (int i = 0; i < 4; ++i) add(1000, 2 + i);
  for (int n_steps = 0; oldest.in_prefill(); ++n_steps) {
    const int left = oldest.n_prompt() - oldest.n_cached;
    ASSERT_GE(step().at(&oldest), std::min(left, kRows / 2)) << n_steps;
  }
}

TEST_F(SchedulerTest, NoRoomIsLeftWhilePromptsHaveRows) {
  add(300, 1);
  add(200, 2);
  add(100, 3);
  for (int left = 600; left > 0; left -= kRows) {
    step();
    ASSERT_EQ(int(scheduler_.rows().size()), std::min(left, kRows)) << left;
    for (auto it = active_.begin(); it != active_.end();) {
      if ((*it)->in_prefill()) {
        ++it;
      } else {
        cache_.close((*it)->slot);
        it = active_.erase(it);
      }
    }
  }
}

TEST_F(SchedulerTest, PromptsThatBeginAlikeAreRunOnce) {
  const Sequence& first = add(500, 1);
  const Sequence& second = add(500, 1);
  const Sequence& longer = add(600, 1);
  while (first.n_cached < 480) ASSERT_EQ(step().size(), 1u) << "the others wait";
  while (first.in_prefill() || second.in_prefill() || longer.in_prefill()) step();
  EXPECT_EQ(first.n_reused, 0);
  EXPECT_EQ(second.n_reused, 480);
  EXPECT_EQ(longer.n_reused, 480);
}

TEST_F(SchedulerTest, OneWithoutACacheWaitsForNobody) {
  add(500, 1);
  Sequence& second = add(500, 1);
  second.request.cache_prompt = false;
  EXPECT_GT(step()[&second], 0);
}

class SchedulerWithLanes : public SchedulerTest {
 protected:
  SchedulerWithLanes() : SchedulerTest(std::nullopt, 2) {}
};

TEST_F(SchedulerWithLanes, AChunkIsAsLongAsTheOtherLane) {
  const Sequence& first = add(12, 1);
  step();
  const Sequence& second = add(9, 2);
  const Sequence& third = add(100, 3);
  const auto n_rows = step();
  EXPECT_EQ(n_rows.at(&first), 1);
  EXPECT_EQ(n_rows.at(&second), 9);
  EXPECT_EQ(n_rows.at(&third), 10);  // an answer's row weighs a little more than a prompt's
}

TEST_F(SchedulerWithLanes, RowsOfALaneStandTogether) {
  std::vector<const Sequence*> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(&add(3, i));
  step();
  const Sequence& longer = add(16, 5);
  const Sequence& shorter = add(14, 6);
  step();
  const auto sequences = scheduler_.sequences();
  ASSERT_EQ(sequences.size(), 6u);
  const auto at = [&](const Sequence& s) { return std::ranges::find(sequences, &s) - sequences.begin(); };
  EXPECT_EQ(at(*answers[2]), 0);  // the lane of the longer chunk has less to take
  EXPECT_EQ(at(longer), 1);
  EXPECT_EQ(at(*answers[0]), 2);
  EXPECT_EQ(at(*answers[1]), 3);
  EXPECT_EQ(at(*answers[3]), 4);
  EXPECT_EQ(at(shorter), 5);
}

TEST_F(SchedulerWithLanes, BesideFewRowsAChunkTakesTheRoom) {
  const Sequence& answer = add(5, 1);
  EXPECT_EQ(step().at(&answer), 5);
  const Sequence& prompt = add(100, 2);
  EXPECT_EQ(step().at(&prompt), kRows - 1);
}

class SchedulerWithoutPrefixes : public SchedulerTest {
 protected:
  SchedulerWithoutPrefixes() : SchedulerTest(0) {}
};

TEST_F(SchedulerWithoutPrefixes, NobodyWaitsForWhatIsNotKept) {
  add(500, 1);
  const Sequence& second = add(500, 1);
  EXPECT_GT(step()[&second], 0);
}

TEST(QueueRank, PriorityIsWorthSomeWaitingAndNoMore) {
  const auto sequence = [](int priority, Sequence::Clock::time_point queued) {
    GenerationRequest request;
    request.prompt = {1};
    request.priority = priority;
    Sequence s(1, std::move(request), std::make_shared<test::Listener>());
    s.queued = queued;
    return queue_rank(s);
  };
  const auto now = Sequence::Clock::now();
  EXPECT_LT(sequence(1, now), sequence(0, now));
  EXPECT_LT(sequence(1, now + 1s), sequence(0, now));
  EXPECT_LT(sequence(0, now), sequence(1, now + 11s));
  EXPECT_LT(sequence(0, now), sequence(INT_MAX, now + 1001s));
  EXPECT_LT(sequence(INT_MIN, now), sequence(0, now + 1001s));
}

}  // namespace
}  // namespace paro
