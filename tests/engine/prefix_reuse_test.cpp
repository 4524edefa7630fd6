// A prompt that begins like an earlier one takes over what that one has computed, and the results are those of a prompt
// that has to be run.
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/batch_engine.h"
#include "tests/engine/listener.h"
#include "tests/engine/prompts.h"
#include "tests/models/backends.h"

namespace paro {
namespace {

using namespace test;

struct Sizes {
  int max_batch = 3;
  int max_context = 1024;
  int prefill_chunk = 64;
  std::optional<int64_t> prefix_cache_bytes = std::nullopt;
};

constexpr const char* kDemo = "models/demo";  // its window is shorter than the prompts below

std::unique_ptr<Engine> open(std::unique_ptr<Backend> backend, const Sizes& sizes = {}, const char* model = kDemo) {
  EngineOptions options;
  options.model = std::filesystem::path(PARO_SOURCE_DIR) / model;
  options.max_context = sizes.max_context;
  options.max_batch = sizes.max_batch;
  options.prefill_chunk = sizes.prefill_chunk;
  options.prefix_cache_bytes = sizes.prefix_cache_bytes;
  return open_engine(options, std::move(backend));
}

class PrefixReuse : public ::testing::TestWithParam<std::tuple<test::BackendCase, std::pair<const char*, int>>> {
 protected:
  std::unique_ptr<Backend> backend() const { return std::get<0>(GetParam()).make(2); }
  const char* model() const { return std::get<1>(GetParam()).first; }
  int max_context() const { return std::get<1>(GetParam()).second; }
};

TEST_P(PrefixReuse, ResultsAreTheSameToTheBit) {
  const auto with = open(backend(), {.max_context = max_context()}, model());
  const auto without = open(backend(), {.max_context = max_context(), .prefix_cache_bytes = 0}, model());
  const int n = max_context() - 70;
  const std::vector<int32_t> whole = tokens(n, 1);
  Generation first = generate(*with, request_of(whole));
  EXPECT_EQ(first.end.n_cached_tokens, 0);
  expect_same(first, generate(*without, request_of(whole)));

  std::vector<std::pair<std::vector<int32_t>, int>> prompts;  // and how many of their tokens are known
  const auto blocks = [](int n_tokens) { return n_tokens / kPageTokens * kPageTokens; };
  prompts.push_back({whole, blocks(n - 1)});
  const std::vector<int32_t> conversation = joined(whole, ids_of(first));
  prompts.push_back({joined(conversation, tokens(20, 2)), blocks(n)});
  prompts.push_back({whole, blocks(n - 1)});
  prompts.push_back({tokens(n, 3), 0});
  for (const auto& [prompt, n_known] : prompts) {
    const Generation got = generate(*with, request_of(prompt));
    EXPECT_GE(got.end.n_cached_tokens, n_known);
    EXPECT_LT(got.end.n_cached_tokens, int(prompt.size())) << "a token has to be run";
    expect_same(got, generate(*without, request_of(prompt)));
  }
  EXPECT_EQ(without->status().prefix.n_lookups, 0);
  const PrefixStats stats = with->status().prefix;
  EXPECT_EQ(stats.n_lookups, 5);
  EXPECT_EQ(stats.n_hits, 3);
  EXPECT_GT(stats.n_used_blocks, 0);
  EXPECT_LE(stats.n_used_blocks, stats.n_blocks);
  EXPECT_GT(stats.n_reused_tokens, 0);
  EXPECT_LT(stats.n_reused_tokens, stats.n_prompt_tokens);
}

TEST_P(PrefixReuse, PromptsAtOnceAreRunOnceAndAnswerAsEachAlone) {
  const auto with = open(backend(), {.max_context = max_context()}, model());
  const auto without = open(backend(), {.max_context = max_context(), .prefix_cache_bytes = 0}, model());
  const int n = max_context() - 70;
  const std::vector<int32_t> shared = tokens(n - 10, 7);
  std::vector<std::shared_ptr<Listener>> listeners;
  std::vector<std::vector<int32_t>> prompts;
  for (uint32_t i = 0; i < 3; ++i) prompts.push_back(joined(shared, tokens(10, 20 + i / 2)));  // two of them the same
  for (const auto& prompt : prompts) {
    listeners.push_back(std::make_shared<Listener>());
    with->submit(request_of(prompt), listeners.back());
  }
  int n_run = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const GenerationEnd end = listeners[i]->wait();
    EXPECT_EQ(end.reason, FinishReason::length);
    n_run += end.n_prompt_tokens - end.n_cached_tokens;
    EXPECT_EQ(listeners[i]->tokens(), ids_of(generate(*without, request_of(prompts[i])))) << i;
  }
  EXPECT_LE(n_run, n + 2 * (kPageTokens + 10));
}

std::string name_of(const ::testing::TestParamInfo<PrefixReuse::ParamType>& test) {
  std::string name =
      std::get<0>(test.param).name + "_" + std::filesystem::path(std::get<1>(test.param).first).filename().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Goldens, PrefixReuse,
                         ::testing::Combine(::testing::ValuesIn(test::all_backends()),
                                            ::testing::Values(std::pair{"tests/goldens/gemma4-moe", 200},
                                                              std::pair{"tests/goldens/gemma4-31b", 200},
                                                              std::pair{"tests/goldens/gemma4-e2b", 200})),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Demo, PrefixReuse,
                         ::testing::Combine(::testing::ValuesIn(test::cpu_backends()),
                                            ::testing::Values(std::pair{kDemo, 512})),
                         name_of);

std::unique_ptr<Backend> any_backend() { return test::cpu_backends().front().make(2); }

TEST(PrefixCacheOfAnEngine, ARequestMayStayOutOfIt) {
  const auto engine = open(any_backend());
  GenerationRequest request = request_of(tokens(200, 1));
  request.cache_prompt = false;
  EXPECT_EQ(generate(*engine, request).end.n_cached_tokens, 0);
  EXPECT_EQ(engine->status().prefix.n_used_blocks, 0) << "it left something";
  request.cache_prompt = true;
  EXPECT_EQ(generate(*engine, request).end.n_cached_tokens, 0);
  EXPECT_EQ(generate(*engine, request).end.n_cached_tokens, 192);
  request.cache_prompt = false;
  EXPECT_EQ(generate(*engine, request).end.n_cached_tokens, 0) << "it took something";
}

// What a window has passed is given up first, unless a prompt has shown that others go on there.
TEST(PrefixCacheOfAnEngine, APromptMarksWhereItLeavesAKnownOne) {
  const auto engine = open(any_backend(), {.max_batch = 4});
  const std::vector<int32_t> system = tokens(320, 1);
  const auto n_cached = [&](uint32_t seed) {
    const int n = generate(*engine, request_of(joined(system, tokens(400, seed)), 1)).end.n_cached_tokens;
    // The window passes more blocks than there are pages for.
    for (uint32_t i = 0; i < 2; ++i) generate(*engine, request_of(tokens(700, 100 * seed + i), 1));
    return n;
  };
  EXPECT_EQ(n_cached(2), 0);
  EXPECT_EQ(n_cached(3), 0);
  EXPECT_EQ(n_cached(4), 320);
}

// Kept pages are given up for sequences that need them, whatever the mix of hits and misses.
TEST(PrefixCacheOfAnEngine, SequencesNeverLackAPage) {
  const auto engine = open(any_backend(), {.max_batch = 3, .max_context = 256, .prefill_chunk = 32});
  const auto without = open(any_backend(), {.max_context = 256, .prefix_cache_bytes = 0});
  std::vector<std::shared_ptr<Listener>> listeners;
  std::vector<std::vector<int32_t>> prompts;
  uint32_t seed = 5;
  for (int i = 0; i < 60; ++i) {
    seed = seed * 1664525u + 1013904223u;
    const int n_common = int(seed >> 8) % 200;
    prompts.push_back(joined(tokens(n_common, (seed >> 20) % 3), tokens(1 + int(seed >> 16) % 30, seed)));
    listeners.push_back(std::make_shared<Listener>());
    engine->submit(request_of(prompts.back(), 20), listeners.back());
  }
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(listeners[i]->wait().reason, FinishReason::length) << i;
    if (i % 7 != 0) continue;
    EXPECT_EQ(listeners[i]->tokens(), ids_of(generate(*without, request_of(prompts[i], 20)))) << i;
  }
  EXPECT_GT(engine->status().prefix.n_hits, 10);
}

TEST(PrefixCacheOfAnEngine, MoreMemoryKeepsMoreAndIsAClassOfThePlan) {
  constexpr int64_t kMore = 4 << 20;
  const auto small = open(any_backend(), {.max_batch = 1, .max_context = 512});
  const auto large = open(any_backend(), {.max_batch = 1, .max_context = 512, .prefix_cache_bytes = kMore});
  const auto cached_again = [](Engine& engine) {
    for (uint32_t i = 0; i < 4; ++i) generate(engine, request_of(tokens(400, i), 1));
    return generate(engine, request_of(tokens(400, 0), 1)).end.n_cached_tokens;
  };
  EXPECT_EQ(cached_again(*small), 0);
  EXPECT_EQ(cached_again(*large), 384);
  const auto bytes_of = [](const Engine& engine, std::string_view name) -> int64_t {
    for (const MemoryClass& c : engine.memory().classes) {
      if (c.name != name) continue;
      EXPECT_EQ(c.plan_bytes, c.actual_bytes) << name;
      return c.plan_bytes;
    }
    return 0;
  };
  EXPECT_EQ(bytes_of(*small, "prefix cache"), 0);
  EXPECT_GT(bytes_of(*large, "prefix cache"), kMore / 2);
  EXPECT_LE(bytes_of(*large, "prefix cache"), kMore + (2 << 20));
  EXPECT_EQ(bytes_of(*small, "kv cache"), bytes_of(*large, "kv cache"));
}

TEST(PrefixCacheOfAnEngine, AMeanTakesNothingAndLeavesWhatItRan) {
  const auto engine = open(any_backend());
  GenerationRequest request = request_of(tokens(200, 1));
  generate(*engine, request);
  request.pooling = Pooling::mean;
  EXPECT_EQ(generate(*engine, request).end.n_cached_tokens, 0);
  request.pooling = Pooling::last;
  EXPECT_EQ(generate(*engine, request).end.n_cached_tokens, 192);
}

TEST(PrefixCacheOfAnEngine, APromptThatWaitsForACancelledOneGoesOnByItself) {
  const auto engine = open(any_backend(), {.max_batch = 2, .prefill_chunk = 2});
  const auto first = std::make_shared<Listener>(), second = std::make_shared<Listener>();
  const GenerationId id = engine->submit(request_of(tokens(300, 1)), first);
  engine->submit(request_of(tokens(300, 1)), second);
  first->wait_for_prefill();
  engine->cancel(id);
  EXPECT_EQ(first->wait().reason, FinishReason::cancelled);
  EXPECT_EQ(second->wait().reason, FinishReason::length);
  EXPECT_EQ(second->tokens(), ids_of(generate(*engine, request_of(tokens(300, 1)))));
}

}  // namespace
}  // namespace paro
