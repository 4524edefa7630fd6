// Collects an answer, and lets a test wait for parts of it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace paro::test {

class Listener final : public GenerationListener {
 public:
  void on_start(int n_cached_tokens, int n_prompt_tokens) override {
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(prefill_.empty() && starts_.empty());
    starts_.push_back({n_cached_tokens, n_prompt_tokens});
  }
  void on_prefill(int n_done, int) override {
    const std::lock_guard lock(mutex_);
    prefill_.push_back(n_done);
    changed_.notify_all();
  }
  void on_token(const SampledToken& token) override {
    const std::lock_guard lock(mutex_);
    tokens_.push_back(token.id);
    changed_.notify_all();
  }
  void on_embedding(std::span<const float> hidden) override {
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(embedding_.empty()) << "embedded twice";
    embedding_.assign(hidden.begin(), hidden.end());
  }
  void on_end(const GenerationEnd& end) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(end_.has_value()) << "ended twice";
    end_ = end;
    changed_.notify_all();
  }
  GenerationEnd wait() {
    wait([&] { return end_.has_value(); });
    const std::lock_guard lock(mutex_);
    return end_.value_or(GenerationEnd{});
  }
  void wait_for_tokens(size_t n) {
    wait([&] { return tokens_.size() >= n; });
  }
  void wait_for_prefill() {
    wait([&] { return !prefill_.empty(); });
  }
  std::vector<int32_t> tokens() {
    const std::lock_guard lock(mutex_);
    return tokens_;
  }
  std::vector<std::pair<int, int>> starts() {
    const std::lock_guard lock(mutex_);
    return starts_;
  }
  std::vector<int> prefill() {
    const std::lock_guard lock(mutex_);
    return prefill_;
  }
  std::vector<float> embedding() {
    const std::lock_guard lock(mutex_);
    return embedding_;
  }

 private:
  void wait(auto condition) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), condition));
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int32_t> tokens_;
  std::vector<float> embedding_;
  std::vector<std::pair<int, int>> starts_;  // tokens from a cache, and of the prompt
  std::vector<int> prefill_;
  std::optional<GenerationEnd> end_;
};

}  // namespace paro::test
