// Pooled hidden states against those of transformers, whatever the chunks and whoever else is served.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/batch_engine.h"
#include "tests/engine/listener.h"
#include "tests/models/backends.h"
#include "tests/models/golden.h"

namespace paro {
namespace {

using test::Golden;
using test::Listener;

std::unique_ptr<Engine> open(const Golden& golden, std::unique_ptr<Backend> backend, int prefill_chunk = 64) {
  EngineOptions options;
  options.model = golden.directory;
  options.max_context = 64;
  options.max_batch = 3;
  options.prefill_chunk = prefill_chunk;
  return open_engine(options, std::move(backend));
}

GenerationRequest pooled(std::vector<int32_t> prompt, Pooling pooling) {
  GenerationRequest request;
  request.prompt = std::move(prompt);
  request.pooling = pooling;
  return request;
}

std::vector<float> embed(Engine& engine, const std::vector<int32_t>& prompt, Pooling pooling) {
  const auto listener = std::make_shared<Listener>();
  engine.submit(pooled(prompt, pooling), listener);
  const GenerationEnd end = listener->wait();
  EXPECT_EQ(end.reason, FinishReason::stop);
  EXPECT_EQ(end.n_prompt_tokens, int(prompt.size()));
  EXPECT_EQ(end.n_generated_tokens, 0);
  EXPECT_TRUE(listener->tokens().empty());
  return listener->embedding();
}

std::vector<float> expected(const Golden& golden, Pooling pooling) {
  const std::vector<float>& hidden = golden.hidden.back();
  const size_t n = golden.input_ids.size(), size = hidden.size() / n;
  std::vector<float> out(size);
  for (size_t i = 0; i < size; ++i) {
    double sum = 0;
    for (size_t t = 0; t < n; ++t) sum += double(hidden[t * size + i]);
    out[i] = pooling == Pooling::mean ? float(sum / double(n)) : hidden[(n - 1) * size + i];
  }
  return out;
}

class PooledGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(PooledGolden, VectorsAreThoseOfTransformers) {
  const Golden golden = Golden::load(GetParam());
  const auto engine = open(golden, make_reference_backend());
  for (const Pooling pooling : {Pooling::mean, Pooling::last}) {
    const std::vector<float> wanted = expected(golden, pooling), got = embed(*engine, golden.input_ids, pooling);
    ASSERT_EQ(int(got.size()), engine->info().hidden_size);
    ASSERT_EQ(got.size(), wanted.size());
    float largest = 0;
    for (const float x : wanted) largest = std::max(largest, std::abs(x));
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 5e-5f * std::max(1.0f, largest)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Gemma4, PooledGolden, ::testing::Values("gemma4-moe", "gemma4-31b", "gemma4-e2b"));

class PooledBits : public ::testing::TestWithParam<test::BackendCase> {};

TEST_P(PooledBits, AreTheSameInAnyChunksAndAnyCompany) {
  for (const char* name : {"gemma4-moe", "gemma4-e2b"}) {
    const Golden golden = Golden::load(name);
    const auto whole = open(golden, GetParam().make(1));
    const auto chunked = open(golden, GetParam().make(2), 7);
    GenerationRequest other;
    other.prompt = {5, 6, 7, 8, 9};
    other.max_tokens = 50;
    for (const Pooling pooling : {Pooling::mean, Pooling::last}) {
      const std::vector<float> alone = embed(*whole, golden.input_ids, pooling);
      EXPECT_EQ(embed(*chunked, golden.input_ids, pooling), alone) << name;
      const auto generating = std::make_shared<Listener>(), pooling_too = std::make_shared<Listener>();
      chunked->submit(other, generating);
      chunked->submit(pooled({9, 8, 7}, Pooling::mean), pooling_too);
      EXPECT_EQ(embed(*chunked, golden.input_ids, pooling), alone) << name << " in company";
      EXPECT_EQ(generating->wait().reason, FinishReason::length);
      EXPECT_EQ(pooling_too->wait().reason, FinishReason::stop);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, PooledBits, ::testing::ValuesIn(test::cpu_backends()),
                         [](const auto& test) { return test.param.name; });

TEST(Pooling, APromptMayFillTheContext) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden, make_reference_backend());
  EXPECT_FALSE(embed(*engine, std::vector<int32_t>(64, 5), Pooling::mean).empty());
  EXPECT_THROW(engine->submit(pooled(std::vector<int32_t>(65, 5), Pooling::mean), std::make_shared<Listener>()), Error);
}

}  // namespace
}  // namespace paro
