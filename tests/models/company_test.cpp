// Results do not depend on company: the logits of a sequence are the same to the bit alone and among others, however
// its prompt is cut into chunks, and on any number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "engine/model_runner.h"
#include "tests/models/backends.h"

namespace paro {
namespace {

using test::BackendCase;

struct ModelCase {
  const char* directory;
  int n_tokens;  // longer than the sliding window
};

class Company : public ::testing::TestWithParam<std::tuple<BackendCase, ModelCase>> {
 protected:
  static constexpr int kMaxChunk = 64;

  std::unique_ptr<ModelRunner> open(int n_threads) const {
    const auto& [backend, model] = GetParam();
    EngineOptions options;
    options.model = std::filesystem::path(PARO_SOURCE_DIR) / model.directory;
    options.max_context = 512;
    options.max_batch = 3;
    options.prefill_chunk = kMaxChunk + 2 * 16;
    options.max_logit_rows = options.prefill_chunk;
    return std::make_unique<ModelRunner>(options, backend.make(n_threads));
  }

  // Tokens of a sequence; different for each seed.
  std::vector<int32_t> tokens(const ModelRunner& runner, int n, uint32_t seed) const {
    std::vector<int32_t> ids;
    for (int i = 0; i < n; ++i) {
      seed = seed * 1664525u + 1013904223u;
      ids.push_back(int32_t(3 + (seed >> 8) % uint32_t(runner.spec().vocab_size - 3)));
    }
    return ids;
  }

  int n_tokens() const { return std::get<1>(GetParam()).n_tokens; }

  // Logits [n_tokens, vocab] of one sequence run in chunks, the chunk sizes taken in turn. With company, each step also
  // holds rows of two other sequences, one before and one behind.
  std::vector<float> logits(ModelRunner& runner, const std::vector<int>& chunks, bool company) {
    const auto own = tokens(runner, n_tokens(), 1), left = tokens(runner, 512, 2), right = tokens(runner, 512, 3);
    KvCache& cache = runner.cache();
    const int left_slot = company ? cache.open(512) : -1;
    const int slot = cache.open(n_tokens());
    const int right_slot = company ? cache.open(512) : -1;
    int left_at = 0, right_at = 0;
    std::vector<float> all;
    std::vector<StepRow> rows;
    const auto add = [&](const std::vector<int32_t>& ids, int at, int n, int in_slot, bool wants) {
      cache.extend(in_slot, at, at + n);
      for (int i = at; i < at + n; ++i) rows.push_back({ids[size_t(i)], i, in_slot, wants});
    };
    for (int begin = 0, step = 0; begin < n_tokens(); ++step) {
      const int end = std::min(n_tokens(), begin + chunks[size_t(step) % chunks.size()]);
      rows.clear();
      if (company && left_at + 5 <= 512) add(left, left_at, 5, left_slot, true), left_at += 5;
      const size_t own_first = size_t(left_at > 0 && !rows.empty() ? 5 : 0);
      add(own, begin, end - begin, slot, true);
      if (company && right_at + 1 + step % 9 <= 512) {
        add(right, right_at, 1 + step % 9, right_slot, false);
        right_at += 1 + step % 9;
      }
      const Tensor out = runner.run(rows);
      const float* first = out.f32() + int64_t(own_first) * out.dim(1);
      all.insert(all.end(), first, first + (end - begin) * out.dim(1));
      begin = end;
    }
    cache.close(slot);
    if (company) cache.close(left_slot), cache.close(right_slot);
    return all;
  }

  static void expect_same(const std::vector<float>& a, const std::vector<float>& b, const std::string& what) {
    ASSERT_EQ(a.size(), b.size());
    if (std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0) return;
    size_t n_different = 0, first = a.size();
    for (size_t i = 0; i < a.size(); ++i) {
      if (std::memcmp(&a[i], &b[i], sizeof(float)) == 0) continue;
      if (n_different++ == 0) first = i;
    }
    ADD_FAILURE() << what << ": " << n_different << " of " << a.size() << " logits differ, first at " << first << ": "
                  << a[first] << " and " << b[first];
  }
};

TEST_P(Company, LogitsAreTheSameToTheBit) {
  const auto one = open(1);
  const std::vector<float> expected = logits(*one, {kMaxChunk}, false);
  for (const float logit : expected) ASSERT_TRUE(std::isfinite(logit));
  for (const int chunk : {1, 2, 3, 7, 16, 33}) {
    expect_same(expected, logits(*one, {chunk}, false), fmt::format("alone, chunks of {}", chunk));
  }
  expect_same(expected, logits(*one, {1, 5, 2, 40, 8}, false), "alone, mixed chunks");
  expect_same(expected, logits(*one, {1, 5, 2, 40, 8}, true), "in company, mixed chunks");
  expect_same(expected, logits(*one, {kMaxChunk}, true), "in company, large chunks");
  expect_same(expected, logits(*one, {1}, true), "in company, token by token");
  for (const int n_threads : {2, 3}) {
    const auto runner = open(n_threads);
    expect_same(expected, logits(*runner, {kMaxChunk}, false), fmt::format("{} threads, large chunks", n_threads));
    expect_same(expected, logits(*runner, {1, 5, 2, 40, 8}, true), fmt::format("{} threads, in company", n_threads));
    expect_same(expected, logits(*runner, {1}, false), fmt::format("{} threads, token by token", n_threads));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Company,
                         ::testing::Combine(::testing::ValuesIn(test::all_backends()),
                                            ::testing::Values(ModelCase{"tests/goldens/gemma4-moe", 150},
                                                              ModelCase{"tests/goldens/gemma4-31b", 100},
                                                              ModelCase{"tests/goldens/gemma4-e2b", 150},
                                                              ModelCase{"models/demo", 330})),
                         [](const auto& test) {
                           std::string name =
                               std::get<0>(test.param).name + "_" +
                               std::filesystem::path(std::get<1>(test.param).directory).filename().string();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace paro
