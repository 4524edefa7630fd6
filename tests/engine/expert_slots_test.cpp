// The book-keeping of streamed experts, without threads and files.
#include "engine/expert_slots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace paro {
namespace {

using Experts = std::vector<int32_t>;

constexpr int kLayers[] = {8, 0, 8};  // the second has a dense MLP alone

// What the store fetches next while it reads nothing.
std::optional<ExpertSlots::Fetch> begin_fetch(ExpertSlots& slots) {
  const auto wanted = slots.begin_wanted();
  return wanted ? wanted : slots.begin_guess();
}

// Fetches all that can be fetched, and says what that was.
Experts fetch_all(ExpertSlots& slots) {
  Experts fetched;
  while (const auto fetch = begin_fetch(slots)) {
    fetched.push_back(fetch->number);
    slots.end_fetch(fetch->number, ExpertSlots::Outcome::ready);
  }
  return fetched;
}

// A step of one layer: asks, fetches, holds and gives back.
void use(ExpertSlots& slots, int layer, Experts experts, int64_t n_rows = 1) {
  slots.request(layer, experts, n_rows);
  std::span<int32_t> left(experts);
  while (!left.empty()) {
    fetch_all(slots);
    const int n = slots.hold(layer, left, 16);
    ASSERT_GT(n, 0);
    slots.release(layer, left.first(size_t(n)));
    left = left.subspan(size_t(n));
  }
}

TEST(ExpertSlots, FetchesWhatIsAbsentOnce) {
  ExpertSlots slots(kLayers, 4);
  Experts wanted{3, 1};
  slots.request(2, wanted, 1);
  EXPECT_EQ(fetch_all(slots), (Experts{slots.number(2, 1), slots.number(2, 3)}));
  EXPECT_EQ(slots.hold(2, wanted, 16), 2);
  slots.release(2, wanted);
  slots.request(2, wanted, 1);
  EXPECT_EQ(fetch_all(slots), Experts());
  EXPECT_EQ(slots.stats().n_requested, 4);
  EXPECT_EQ(slots.stats().n_hits, 2);
  EXPECT_EQ(slots.stats().n_fetched, 2);
}

TEST(ExpertSlots, HoldsThoseFirstThatAreThere) {
  ExpertSlots slots(kLayers, 4);
  use(slots, 0, {5});
  Experts wanted{1, 2, 5};
  slots.request(0, wanted, 1);
  EXPECT_EQ(slots.hold(0, wanted, 16), 1);
  EXPECT_EQ(wanted[0], 5);
  const auto rest = std::span(wanted).subspan(1);
  EXPECT_EQ(slots.hold(0, rest, 16), 0);
  fetch_all(slots);
  EXPECT_EQ(slots.hold(0, rest, 1), 1) << "no more than asked for";
  EXPECT_EQ(slots.hold(0, rest.subspan(1), 16), 1);
}

TEST(ExpertSlots, NeitherHeldNorWantedExpertsGiveWay) {
  ExpertSlots slots(kLayers, 2);
  Experts wanted{0, 1, 2};
  slots.request(0, wanted, 1);
  EXPECT_EQ(fetch_all(slots), (Experts{0, 1}));
  ASSERT_EQ(slots.hold(0, std::span(wanted).first(1), 16), 1);  // 0 is held, 1 is wanted
  EXPECT_EQ(fetch_all(slots), Experts()) << "no slot is free";
  slots.release(0, std::span(wanted).first(1));
  EXPECT_EQ(fetch_all(slots), Experts{2});
  EXPECT_EQ(slots.hold(0, std::span(wanted).subspan(1), 16), 2) << "1 was wanted all the time";
}

TEST(ExpertSlots, WhoWaitsForOneExpertGetsItWhateverElseWasAskedFor) {
  ExpertSlots slots(kLayers, 1);
  slots.request(0, Experts{1, 2, 3}, 1);
  for (int32_t expert : {3, 1, 2}) {
    const std::span<int32_t> one(&expert, 1);
    fetch_all(slots);
    if (slots.hold(0, one, 16) == 0) {
      fetch_all(slots);
      ASSERT_EQ(slots.hold(0, one, 16), 1) << expert;
    }
    slots.release(0, one);
  }
}

TEST(ExpertSlots, AnyNumberOfSlotsSuffices) {
  std::mt19937 random(1);
  for (const int n_slots : {1, 2, 3, 7, 16}) {
    ExpertSlots slots(kLayers, n_slots);
    for (int step = 0; step < 200; ++step) {
      const int layer = step % 2 * 2;
      Experts experts{0, 1, 2, 3, 4, 5, 6, 7};
      std::shuffle(experts.begin(), experts.end(), random);
      experts.resize(1 + random() % 8);
      slots.expect(2 - layer, experts);
      use(slots, layer, experts);
    }
    std::set<int> used;
    for (const int layer : {0, 2}) {
      for (int e = 0; e < 8; ++e) {
        const int slot = slots.slot_of(layer, e);
        EXPECT_TRUE(slot < 0 || used.insert(slot).second) << "shared";
      }
    }
    EXPECT_LE(int(used.size()), n_slots);
  }
}

TEST(ExpertSlots, TheLeastAskedForGiveWay) {
  ExpertSlots slots(kLayers, 3);
  for (int i = 0; i < 5; ++i) use(slots, 0, {0});
  for (int i = 0; i < 3; ++i) use(slots, 0, {1});
  use(slots, 0, {2});
  use(slots, 0, {3});
  EXPECT_GE(slots.slot_of(0, 0), 0);
  EXPECT_GE(slots.slot_of(0, 1), 0);
  EXPECT_EQ(slots.slot_of(0, 2), -1);
}

TEST(ExpertSlots, OldRequestsFade) {
  ExpertSlots slots(kLayers, 2, /*half_life_tokens=*/4);
  for (int i = 0; i < 3; ++i) use(slots, 0, {0});
  for (int i = 0; i < 12; ++i) use(slots, 0, {1});
  use(slots, 0, {2});
  EXPECT_EQ(slots.slot_of(0, 0), -1) << "asked for three times, long ago";
  EXPECT_GE(slots.slot_of(0, 1), 0);
}

TEST(ExpertSlots, RowsCountAsOftenAsTheyChose) {
  ExpertSlots slots(kLayers, 2);
  use(slots, 0, {0, 1, 1, 1}, 4);  // of the same chunk; 1 three times
  use(slots, 0, {2});
  EXPECT_EQ(slots.slot_of(0, 0), -1);
  EXPECT_GE(slots.slot_of(0, 1), 0);
}

TEST(ExpertSlots, GuessesComeAfterWhatIsWantedTheLikeliestFirst) {
  ExpertSlots slots(kLayers, 8);
  const Experts guess{6, 4, 4, 6, 6, 2}, wanted{1};
  slots.expect(2, guess);
  slots.request(0, wanted, 1);
  EXPECT_EQ(fetch_all(slots), (Experts{slots.number(0, 1), slots.number(2, 6), slots.number(2, 4)}));
  const Experts chosen{6, 5};
  slots.request(2, chosen, 1);
  EXPECT_EQ(slots.stats().n_guessed, 2);
  EXPECT_EQ(slots.stats().n_guessed_right, 1);
  EXPECT_EQ(slots.stats().n_hits, 0) << "a guess that comes true was read for this step";
}

TEST(ExpertSlots, OneRowsGuessesKeepItsOrder) {
  ExpertSlots slots(kLayers, 8);
  slots.expect(0, Experts{5, 1});
  EXPECT_EQ(fetch_all(slots), (Experts{5, 1}));
}

TEST(ExpertSlots, OnlyTheLikeliestAreGuessed) {
  ExpertSlots slots(kLayers, 8);
  slots.expect(0, Experts{5, 1, 7, 0, 3});
  EXPECT_EQ(fetch_all(slots), (Experts{5, 1}));
}

TEST(ExpertSlots, AGuessTakesNoSlotOfAnotherOne) {
  ExpertSlots slots(kLayers, 1);
  slots.expect(0, Experts{1, 2});
  EXPECT_EQ(fetch_all(slots).size(), 1u);
  use(slots, 2, {4});
  EXPECT_GE(slots.slot_of(2, 4), 0) << "but what is wanted does";
}

TEST(ExpertSlots, WhatFailedIsTriedAgainWhenItIsAskedForAgain) {
  ExpertSlots slots(kLayers, 2);
  Experts wanted{3};
  slots.request(0, wanted, 1);
  const auto fetch = begin_fetch(slots);
  ASSERT_TRUE(fetch);
  slots.end_fetch(fetch->number, ExpertSlots::Outcome::failed);
  EXPECT_TRUE(slots.failed(0, 3));
  EXPECT_EQ(slots.hold(0, wanted, 16), 0);
  EXPECT_FALSE(begin_fetch(slots)) << "not before it is asked for";
  use(slots, 0, {3});
  EXPECT_FALSE(slots.failed(0, 3));
}

TEST(ExpertSlots, AGuessUnderWayIsOfUseUntilItsLayerChoosesOthers) {
  ExpertSlots slots(kLayers, 3);
  slots.expect(0, Experts{3, 5});
  const auto right = slots.begin_guess(), wrong = slots.begin_guess();
  ASSERT_TRUE(right && wrong);
  EXPECT_FALSE(slots.is_wanted(right->number));
  EXPECT_TRUE(slots.is_useful(right->number) && slots.is_useful(wrong->number));
  slots.request(0, Experts{right->number, 6}, 1);
  EXPECT_TRUE(slots.is_wanted(right->number));
  EXPECT_FALSE(slots.is_useful(wrong->number));
  const auto wanted = slots.begin_wanted();
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->number, 6) << "the other is on its way";

  slots.end_fetch(wrong->number, ExpertSlots::Outcome::dropped);
  EXPECT_FALSE(slots.failed(0, wrong->number));
  EXPECT_EQ(slots.slot_of(0, wrong->number), -1);
  slots.end_fetch(right->number, ExpertSlots::Outcome::ready);
  slots.end_fetch(wanted->number, ExpertSlots::Outcome::ready);
  use(slots, 0, {wrong->number});
  EXPECT_GE(slots.slot_of(0, wrong->number), 0) << "it is fetched once it is asked for";
}

TEST(ExpertSlots, AFailedGuessIsNoFailure) {
  ExpertSlots slots(kLayers, 2);
  slots.expect(0, Experts{3});
  const auto fetch = begin_fetch(slots);
  ASSERT_TRUE(fetch);
  slots.end_fetch(fetch->number, ExpertSlots::Outcome::failed);
  EXPECT_FALSE(slots.failed(0, 3));
}

}  // namespace
}  // namespace paro
