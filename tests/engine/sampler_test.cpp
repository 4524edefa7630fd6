#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"

namespace paro {
namespace {

constexpr int kVocab = 300;

// Logits that fall by 0.1 from token 7 on, so that the order of tokens is 7, 8, 9, ... and then 0..6.
std::vector<float> falling_logits() {
  std::vector<float> logits(kVocab);
  for (int i = 0; i < kVocab; ++i) logits[size_t((i + 7) % kVocab)] = 5.0f - 0.1f * float(i);
  return logits;
}

SampledToken sample(Sampler& sampler, std::vector<float> logits, std::span<const uint32_t> allowed = {}) {
  std::vector<std::byte> scratch(size_t(Sampler::scratch_bytes(kVocab)));
  return sampler.sample(logits, scratch, allowed);
}

std::map<int32_t, int> histogram(const SamplingOptions& base, int n, std::vector<float> logits = falling_logits()) {
  std::map<int32_t, int> counts;
  for (int i = 0; i < n; ++i) {
    SamplingOptions options = base;
    options.seed = uint64_t(i);
    Sampler sampler(options, {}, 0);
    ++counts[sample(sampler, logits).id];
  }
  return counts;
}

TEST(Sampler, TemperatureZeroTakesTheBestAndTheFirstOfEquals) {
  Sampler sampler({.temperature = 0}, {}, 1);
  EXPECT_EQ(sample(sampler, falling_logits()).id, 7);
  std::vector<float> equal(kVocab, 1.0f);
  equal[0] = 0;
  EXPECT_EQ(sample(sampler, equal).id, 1);
}

TEST(Sampler, DrawsFollowTheDistribution) {
  std::vector<float> logits(kVocab, -INFINITY);
  logits[3] = std::log(0.5f);
  logits[100] = std::log(0.3f);
  logits[299] = std::log(0.2f);
  const auto counts = histogram({}, 20000, logits);
  ASSERT_EQ(counts.size(), 3u);
  EXPECT_NEAR(counts.at(3), 10000, 400);
  EXPECT_NEAR(counts.at(100), 6000, 400);
  EXPECT_NEAR(counts.at(299), 4000, 400);
}

TEST(Sampler, TemperatureSharpens) {
  std::vector<float> logits(kVocab, -INFINITY);
  logits[3] = 1;
  logits[4] = 0;
  const auto counts = histogram({.temperature = 0.5f}, 20000, logits);
  EXPECT_NEAR(counts.at(3) / 20000.0, 1 / (1 + std::exp(-2.0)), 0.02);
}

TEST(Sampler, TopKKeepsTheBestAlone) {
  const auto counts = histogram({.temperature = 50, .top_k = 5}, 2000);
  ASSERT_EQ(counts.size(), 5u);
  for (int id = 7; id < 12; ++id) EXPECT_GT(counts.at(id), 300);
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  std::vector<float> logits(kVocab, -INFINITY);
  logits[0] = std::log(0.5f);
  logits[1] = std::log(0.3f);
  logits[2] = std::log(0.2f);
  EXPECT_EQ(histogram({.top_p = 0.79f}, 500, logits).size(), 2u);
  EXPECT_EQ(histogram({.top_p = 0.81f}, 500, logits).size(), 3u);
  EXPECT_EQ(histogram({.top_p = 0.01f}, 500, logits).size(), 1u);
  EXPECT_GT(histogram({.temperature = 50, .top_p = 0.99f}, 5000).size(), 250u) << "flat distributions keep their tail";
}

TEST(Sampler, MinPDropsWhatIsFarBelowTheBest) {
  const auto counts = histogram({.min_p = std::exp(-0.35f)}, 2000);
  EXPECT_EQ(counts.size(), 4u);  // 0, 0.1, 0.2 and 0.3 below the best
}

TEST(Sampler, TheSameSeedGivesTheSameTokens) {
  const SamplingOptions options{.temperature = 5, .seed = 42};
  Sampler a(options, {}, 1), b(options, {}, 2);
  int n_different_from_first = 0;
  const int32_t first = sample(a, falling_logits()).id;
  EXPECT_EQ(sample(b, falling_logits()).id, first);
  for (int i = 0; i < 50; ++i) {
    const int32_t id = sample(a, falling_logits()).id;
    EXPECT_EQ(sample(b, falling_logits()).id, id);
    n_different_from_first += id != first;
  }
  EXPECT_GT(n_different_from_first, 30);
}

TEST(Sampler, PenaltiesCountWhatWasGenerated) {
  Sampler presence({.temperature = 0, .presence_penalty = 0.15f}, std::vector<int32_t>{7}, 0);
  EXPECT_EQ(sample(presence, falling_logits()).id, 7) << "the prompt does not count";
  EXPECT_EQ(sample(presence, falling_logits()).id, 8);
  EXPECT_EQ(sample(presence, falling_logits()).id, 7) << "7 and 8 are down by 0.15 each, 9 is lower by 0.2";

  Sampler frequency({.temperature = 0, .frequency_penalty = 0.06f}, {}, 0);
  std::vector<int32_t> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(sample(frequency, falling_logits()).id);
  EXPECT_EQ(ids, (std::vector<int32_t>{7, 7, 8, 7}));

  Sampler repetition({.temperature = 0, .repetition_penalty = 2}, std::vector<int32_t>{7, 7, 8}, 0);
  EXPECT_EQ(sample(repetition, falling_logits()).id, 9) << "the prompt counts, once";
}

TEST(Sampler, LogitBiasMovesATokenEitherWay) {
  Sampler up({.temperature = 0, .logit_bias = {{200, 100.0f}}}, {}, 0);
  EXPECT_EQ(sample(up, falling_logits()).id, 200);
  Sampler down({.temperature = 0, .logit_bias = {{7, -100.0f}}}, {}, 0);
  EXPECT_EQ(sample(down, falling_logits()).id, 8);
}

TEST(Sampler, LogprobsAreOfTheModelsOwnDistribution) {
  const auto logits = falling_logits();
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double(logit));
  Sampler sampler({.temperature = 0, .logit_bias = {{200, 100.0f}}, .n_logprobs = 3}, {}, 0);
  const SampledToken token = sample(sampler, logits);
  EXPECT_EQ(token.id, 200);
  EXPECT_NEAR(token.logprob, logits[200] - std::log(sum), 1e-5);
  ASSERT_EQ(token.best.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(token.best[size_t(i)].id, 7 + i);
    EXPECT_NEAR(token.best[size_t(i)].logprob, logits[size_t(7 + i)] - std::log(sum), 1e-5);
  }
}

TEST(Sampler, AWindowOfPenaltiesCountsTheLastTokensOfThePromptAndNoOthers) {
  std::vector<int32_t> prompt{7, 8, 9};
  SamplingOptions options{.temperature = 0, .presence_penalty = 100, .penalty_window = 2};
  Sampler sampler(options, prompt, 1);
  EXPECT_EQ(sample(sampler, falling_logits()).id, 7);  // has left the window {8, 9}
  EXPECT_EQ(sample(sampler, falling_logits()).id, 8);  // {9, 7}
  EXPECT_EQ(sample(sampler, falling_logits()).id, 9);  // {7, 8}
  EXPECT_EQ(sample(sampler, falling_logits()).id, 7);  // {8, 9}
  options.penalty_window = 0;
  Sampler free(options, prompt, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sample(free, falling_logits()).id, 7);
}

TEST(Sampler, FrequencyInAWindowCountsEachTime) {
  const std::vector<int32_t> prompt{7, 7, 7, 8};
  Sampler sampler({.temperature = 0, .frequency_penalty = 0.15f, .penalty_window = 10}, prompt, 1);
  EXPECT_EQ(sample(sampler, falling_logits()).id, 9);  // 7 is down by 0.45 and 8 by 0.15, 9 is 0.2 below 7
}

TEST(Sampler, TemperatureLastFiltersAtTemperatureOne) {
  std::vector<float> logits(kVocab, -INFINITY);
  logits[3] = std::log(0.8f);
  logits[100] = std::log(0.15f);
  logits[299] = std::log(0.05f);
  const SamplingOptions hot{.temperature = 100, .min_p = 0.1f};
  EXPECT_EQ(histogram(hot, 200, logits).size(), 3u);
  SamplingOptions last = hot;
  last.temperature_last = true;
  const auto counts = histogram(last, 2000, logits);
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_NEAR(counts.at(3), 1000, 150);  // almost even, at that temperature
}

TEST(Sampler, LogprobsAsDrawnAreOfWhatTheFiltersLeave) {
  std::vector<float> logits(kVocab, -INFINITY);
  logits[3] = std::log(0.6f);
  logits[100] = std::log(0.2f);
  logits[299] = std::log(0.2f);
  SamplingOptions options{.top_k = 2, .seed = 5, .n_logprobs = 10, .logprobs_as_drawn = true};
  Sampler sampler(options, {}, 0);
  const SampledToken token = sample(sampler, logits);
  ASSERT_EQ(token.best.size(), 2u);
  EXPECT_EQ(token.best[0].id, 3);
  EXPECT_EQ(token.best[1].id, 100);
  EXPECT_NEAR(token.best[0].logprob, std::log(0.75), 1e-5);
  EXPECT_NEAR(token.best[1].logprob, std::log(0.25), 1e-5);
  EXPECT_EQ(token.logprob, token.best[token.id == 3 ? 0 : 1].logprob);

  options.temperature = 0;
  Sampler greedy(options, {}, 0);
  const SampledToken best = sample(greedy, logits);
  EXPECT_EQ(best.logprob, 0);
  ASSERT_EQ(best.best.size(), 1u);
  EXPECT_EQ(best.best[0].id, best.id);
}

TEST(Sampler, WhatIsToldOfATokenDoesNotChangeIt) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const SamplingOptions plain{.top_p = 0.9f, .seed = seed};
    SamplingOptions told = plain;
    told.n_logprobs = 5;
    told.logprobs_as_drawn = true;
    Sampler a(plain, {}, 0), b(told, {}, 0);
    EXPECT_EQ(sample(a, falling_logits()).id, sample(b, falling_logits()).id);
  }
}

TEST(Sampler, WhatIsNotAllowedNeverComes) {
  std::vector<uint32_t> allowed((kVocab + 31) / 32);
  for (const int id : {3, 200, 299}) allowed[size_t(id / 32)] |= 1u << (id % 32);
  Sampler greedy({.temperature = 0, .n_logprobs = 1}, {}, 1);
  const SampledToken token = sample(greedy, falling_logits(), allowed);
  EXPECT_EQ(token.id, 200);
  EXPECT_EQ(token.best.at(0).id, 7) << "logprobs are of the model's own distribution";

  std::map<int32_t, int> counts;
  for (int i = 0; i < 500; ++i) {
    SamplingOptions options{.temperature = 20, .top_k = i % 3 == 0 ? 50 : 0, .top_p = i % 2 == 0 ? 1.0f : 0.99f};
    options.seed = uint64_t(i);
    Sampler sampler(options, {}, 0);
    ++counts[sample(sampler, falling_logits(), allowed).id];
  }
  EXPECT_EQ(counts.size(), 3u);
  EXPECT_EQ(counts[3] + counts[200] + counts[299], 500);
}

TEST(Sampler, LogitsThatAreNoNumbersGiveSomeToken) {
  for (const float broken : {NAN, INFINITY, -INFINITY}) {
    for (const bool all : {false, true}) {
      std::vector<float> logits = all ? std::vector<float>(kVocab, broken) : falling_logits();
      logits[20] = broken;
      for (const SamplingOptions& options :
           {SamplingOptions{.temperature = 0}, SamplingOptions{.min_p = 0.1f}, SamplingOptions{.top_p = 0.9f},
            SamplingOptions{.top_k = 5}, SamplingOptions{.temperature = 50, .top_p = 0.999f, .n_logprobs = 4}}) {
        Sampler sampler(options, {}, 3);
        const int32_t id = sample(sampler, logits).id;
        EXPECT_GE(id, 0);
        EXPECT_LT(id, kVocab);
      }
    }
  }
}

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  const auto message = [](const SamplingOptions& options) -> std::string {
    try {
      check_sampling(options, kVocab);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::request);
      return error.message();
    }
    return "";
  };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({.top_k = std::numeric_limits<int>::max(), .repetition_penalty = 0.01f}),
            "");  // as requests may say
  EXPECT_NE(message({.temperature = -1}).find("temperature"), std::string::npos);
  EXPECT_NE(message({.temperature = NAN}).find("temperature"), std::string::npos);
  EXPECT_NE(message({.top_p = 1.5f}).find("top_p"), std::string::npos);
  EXPECT_NE(message({.logit_bias = {{kVocab, 1.0f}}}).find("300"), std::string::npos);
}

}  // namespace
}  // namespace paro
