// That a request computes only the logits that its sampling looks at does not show in its tokens.
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/batch_engine.h"
#include "tests/models/backends.h"

namespace paro {
namespace {

TEST(ExactLogits, AreAsManyAsSamplingLooksAt) {
  SamplingOptions greedy;
  greedy.temperature = 0;
  EXPECT_EQ(exact_logits(greedy), 1);
  SamplingOptions top_k;
  top_k.top_k = 40;
  top_k.top_p = 0.9f;
  EXPECT_EQ(exact_logits(top_k), 40);
  top_k.top_k = 1024;
  EXPECT_EQ(exact_logits(top_k), 1024);
  top_k.top_k = 1025;
  EXPECT_EQ(exact_logits(top_k), 0);
  EXPECT_EQ(exact_logits({}), 0);
}

TEST(ExactLogits, AreAllWhereOthersCanRiseOrAreTold) {
  const auto greedy_with = [](auto change) {
    SamplingOptions options;
    options.temperature = 0;
    change(options);
    return exact_logits(options);
  };
  EXPECT_EQ(greedy_with([](SamplingOptions& o) { o.repetition_penalty = 1.1f; }), 0);
  EXPECT_EQ(greedy_with([](SamplingOptions& o) { o.presence_penalty = 0.5f; }), 0);
  EXPECT_EQ(greedy_with([](SamplingOptions& o) { o.frequency_penalty = -0.5f; }), 0);
  EXPECT_EQ(greedy_with([](SamplingOptions& o) { o.logit_bias = {{7, 2.0f}}; }), 0);
  EXPECT_EQ(greedy_with([](SamplingOptions& o) { o.n_logprobs = 0; }), 0);
}

class ExactLogitsOf : public ::testing::TestWithParam<test::BackendCase> {};

TEST_P(ExactLogitsOf, SampledTokensAreThoseOfAllLogits) {
  EngineOptions engine_options;
  engine_options.model = std::filesystem::path(PARO_SOURCE_DIR) / "models/demo";
  engine_options.max_context = 256;
  engine_options.max_batch = 4;
  const auto engine = open_engine(engine_options, GetParam().make(2));
  std::vector<SamplingOptions> cases;
  for (const int top_k : {0, 1, 3, 40, 300}) {
    for (const uint64_t seed : {1u, 2u, 3u}) {
      SamplingOptions options;
      options.temperature = top_k == 0 ? 0.0f : 2.0f;  // hot, for the lesser ones to be drawn as well
      options.top_k = top_k;
      options.top_p = seed == 2 ? 0.95f : 1.0f;
      options.min_p = seed == 3 ? 0.001f : 0.0f;
      options.seed = seed;
      cases.push_back(options);
    }
  }
  for (SamplingOptions& options : cases) {
    GenerationRequest request;
    request.prompt = {2, 105, 300, 301, 302, int32_t(options.top_k + 5)};
    request.max_tokens = 40;
    request.sampling = options;
    ASSERT_NE(exact_logits(options), 0);
    const Generation few = generate(*engine, request);
    request.sampling.n_logprobs = 0;  // wants all of them, and draws alike
    ASSERT_EQ(exact_logits(request.sampling), 0);
    const Generation all = generate(*engine, request);
    ASSERT_EQ(few.tokens.size(), all.tokens.size());
    for (size_t i = 0; i < few.tokens.size(); ++i) ASSERT_EQ(few.tokens[i].id, all.tokens[i].id) << options.top_k;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, ExactLogitsOf, ::testing::ValuesIn(test::cpu_backends()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace paro
