// Prompts that a test makes up, and what must be the same of two answers.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace paro::test {

// Different for each seed.
inline std::vector<int32_t> tokens(int n, uint32_t seed) {
  std::vector<int32_t> ids;
  for (int i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    ids.push_back(int32_t(3 + (seed >> 8) % 300));
  }
  return ids;
}

inline std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline GenerationRequest request_of(std::vector<int32_t> prompt, int max_tokens = 12) {
  GenerationRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  request.sampling.n_logprobs = 5;
  return request;
}

inline void expect_same(const Generation& a, const Generation& b) {
  ASSERT_EQ(a.tokens.size(), b.tokens.size());
  for (size_t i = 0; i < a.tokens.size(); ++i) {
    ASSERT_EQ(a.tokens[i].id, b.tokens[i].id) << i;
    ASSERT_EQ(a.tokens[i].logprob, b.tokens[i].logprob) << i;
    ASSERT_EQ(a.tokens[i].best.size(), b.tokens[i].best.size());
    for (size_t j = 0; j < a.tokens[i].best.size(); ++j) {
      ASSERT_EQ(a.tokens[i].best[j].id, b.tokens[i].best[j].id);
      ASSERT_EQ(a.tokens[i].best[j].logprob, b.tokens[i].best[j].logprob);
    }
  }
}

inline std::vector<int32_t> ids_of(const Generation& generation) {
  std::vector<int32_t> ids;
  for (const SampledToken& token : generation.tokens) ids.push_back(token.id);
  return ids;
}

}  // namespace paro::test
