// Experts that are streamed: the same results to the bit in any number of slots, inside the plan, and faults of the
// disk that hit those alone who need what cannot be read.
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "engine/batch_engine.h"
#include "engine/memory_plan.h"
#include "engine/model_runner.h"
#include "tests/models/backends.h"
#include "tests/models/edited_checkpoint.h"

namespace paro {
namespace {

using test::BackendCase;
using test::EditedCheckpoint;
using test::EditedTensor;

const std::filesystem::path kSource = PARO_SOURCE_DIR;

EngineOptions options_of(const std::filesystem::path& model) {
  EngineOptions options;
  options.model = model;
  options.max_context = 128;
  options.max_batch = 2;
  options.prefill_chunk = 48;
  options.max_logit_rows = 48;
  return options;
}

// Logits of two sequences: chunks of a prompt, then single tokens beside those of the other.
std::vector<float> logits(ModelRunner& runner) {
  std::vector<float> all;
  std::vector<StepRow> rows;
  KvCache& cache = runner.cache();
  const int slots[] = {cache.open(100), cache.open(100)};
  int at[] = {0, 0};
  const auto add = [&](int sequence, int n) {
    cache.extend(slots[sequence], at[sequence], at[sequence] + n);
    for (int i = 0; i < n; ++i, ++at[sequence]) {
      const uint32_t hash = uint32_t(at[sequence] * 2 + sequence + 1) * 2654435761u;
      rows.push_back({int32_t((hash >> 4) % uint32_t(runner.spec().vocab_size)), at[sequence], slots[sequence], true});
    }
  };
  for (const auto& [first, second] : {std::pair(40, 0), {1, 30}, {1, 1}, {1, 1}, {0, 1}, {5, 1}}) {
    rows.clear();
    if (first > 0) add(0, first);
    if (second > 0) add(1, second);
    const Tensor out = runner.run(rows);
    all.insert(all.end(), out.f32(), out.f32() + out.n_elements());
  }
  for (const int slot : slots) cache.close(slot);
  return all;
}

class StreamedExperts : public ::testing::TestWithParam<BackendCase> {};
INSTANTIATE_TEST_SUITE_P(Backends, StreamedExperts, ::testing::ValuesIn(test::all_backends()),
                         [](const auto& instance) { return instance.param.name; });

TEST_P(StreamedExperts, ResultsDoNotDependOnTheBudget) {
  for (const char* model : {"tests/goldens/gemma4-moe", "models/demo"}) {
    EngineOptions options = options_of(kSource / model);
    ModelRunner resident(options, GetParam().make(2));
    const std::vector<float> expected = logits(resident);
    const int64_t n_experts = resident.report().experts.n_experts;
    ASSERT_GT(n_experts, 4);
    for (const int64_t n_slots : {int64_t(1), int64_t(2), n_experts / 4, n_experts - 1}) {
      options.expert_slots = n_slots;
      ModelRunner streamed(options, GetParam().make(2));
      for (int turn = 0; turn < 2; ++turn) {  // with empty slots, and with what the first turn left
        const std::vector<float> got = logits(streamed);
        ASSERT_EQ(got.size(), expected.size());
        EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0)
            << model << ", " << n_slots << " of " << n_experts << " experts, turn " << turn;
      }
      const ExpertStats stats = streamed.expert_stats();
      EXPECT_EQ(stats.n_slots, n_slots);
      EXPECT_GT(stats.n_fetched, 0);
      EXPECT_GT(stats.n_read_bytes, 0);
    }
  }
}

TEST(StreamedExpertsPlan, WhatIsTakenIsWhatWasPlanned) {
  EngineOptions options = options_of(kSource / "models/demo");
  const auto total = [&] { return ModelRunner(options, make_cpu_backend({1, ""})).report().plan_bytes; };
  const int64_t resident = total();
  options.expert_slots = 3;
  const ModelRunner runner(options, make_cpu_backend({1, ""}));
  EXPECT_LT(runner.report().plan_bytes, resident);
  bool has_slots = false;
  for (const MemoryClass& c : runner.report().classes) {
    if (c.name == memory_class::kProgram) continue;
    EXPECT_EQ(c.actual_bytes, c.plan_bytes) << c.name;
    has_slots |= c.name == memory_class::kExpertSlots;
  }
  EXPECT_TRUE(has_slots);
}

TEST(StreamedExpertsPlan, FewSlotsHaveFewReaders) {
  const auto staging = [](int64_t n_slots) {
    const auto backend = make_cpu_backend({1, ""});
    EngineOptions options = options_of(kSource / "models/demo");
    options.expert_slots = n_slots;
    return plan_memory(options, ModelConfig::load(options.model), nullptr, *backend).expert_staging_bytes;
  };
  EXPECT_GT(staging(1), 0);
  EXPECT_EQ(staging(2), staging(1));
  EXPECT_EQ(staging(4), 2 * staging(2));
  EXPECT_EQ(staging(6), 3 * staging(2));
  EXPECT_EQ(staging(20), staging(6));
}

TEST(StreamedExpertsPlan, ABudgetBelowAllExpertsStreamsThem) {
  const auto backend = make_cpu_backend({1, ""});
  EngineOptions options;
  options.model = kSource / "models/demo";
  const ModelConfig config = ModelConfig::load(options.model);
  const SafetensorsFiles files = SafetensorsFiles::open(options.model);
  const MemoryBounds bounds = memory_bounds(options, config, &files, *backend);
  ASSERT_LT(bounds.smallest_bytes, bounds.all_resident_bytes);
  const auto plan = [&](int64_t budget) {
    options.memory_budget_bytes = budget;
    return plan_memory(options, config, &files, *backend);
  };
  EXPECT_FALSE(plan(bounds.all_resident_bytes).streams_experts());
  EXPECT_TRUE(plan(bounds.all_resident_bytes).report.fitting.empty());
  int64_t last_slots = plan(bounds.all_resident_bytes).report.experts.n_experts;
  for (int64_t budget = bounds.all_resident_bytes; budget >= bounds.smallest_bytes; budget -= 1 << 20) {
    const MemoryPlan p = plan(budget);
    ASSERT_TRUE(p.report.fits) << budget;
    EXPECT_LE(p.report.plan_bytes, budget);
    last_slots = p.report.experts.n_slots;
  }
  EXPECT_LT(last_slots, plan(bounds.all_resident_bytes).report.experts.n_experts);
  EXPECT_TRUE(plan(bounds.smallest_bytes).report.fits);
  EXPECT_FALSE(plan(bounds.smallest_bytes - 1).report.fits);
}

TEST(StreamedExpertsPlan, SlotsThatAreNoneAreRefused) {
  const auto backend = make_reference_backend();
  const auto refuse = [&](const char* model, int64_t n_slots) {
    EngineOptions options;
    options.model = kSource / model;
    options.expert_slots = n_slots;
    const ModelConfig config = ModelConfig::load(options.model);
    return test::error_of(ErrorKind::usage, [&] { plan_memory(options, config, nullptr, *backend); });
  };
  EXPECT_TRUE(test::contains(refuse("tests/goldens/gemma4-31b", 3), {"--expert-slots is 3", "no experts"}));
  EXPECT_TRUE(test::contains(refuse("models/demo", 1 << 20), {"--expert-slots", "expected 1 to"}));
}

class Listener final : public GenerationListener {
 public:
  void on_token(const SampledToken& token) override { tokens.push_back(token.id); }
  void on_end(const GenerationEnd& end) override {
    const std::lock_guard lock(mutex_);
    end_ = end;
    ended_.notify_all();
  }
  GenerationEnd wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(ended_.wait_for(lock, std::chrono::seconds(60), [&] { return end_.has_value(); }));
    return end_.value_or(GenerationEnd{});
  }
  std::vector<int32_t> tokens;  // once it has ended

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::optional<GenerationEnd> end_;
};

// A server whose file loses the end, in which one expert of the last layer lies.
class Truncated : public ::testing::Test {
 protected:
  static constexpr const char* kLost = "layers.1.experts.3.gate_proj.qweight";

  Truncated()
      : checkpoint_("gemma4-moe",
                    [](std::vector<EditedTensor>& tensors, std::string&) {
                      const auto lost = std::find_if(tensors.begin(), tensors.end(),
                                                     [](const EditedTensor& t) { return t.name.ends_with(kLost); });
                      ASSERT_NE(lost, tensors.end());
                      std::rotate(lost, lost + 1, tensors.end());
                    }),
        file_(checkpoint_.directory.path() / "model.safetensors"),
        content_(read_text_file(file_, 1 << 30)) {
    EngineOptions options = options_of(checkpoint_.directory.path());
    options.expert_slots = 2;
    options.max_queue = 300;
    engine_ = open_engine(options, make_cpu_backend({2, ""}));
  }

  void truncate() const { std::filesystem::resize_file(file_, content_.size() - 64); }
  void restore() const {
    std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
    file.write(content_.data(), std::streamsize(content_.size()));
    ASSERT_TRUE(file.flush());
  }

  std::shared_ptr<Listener> submit(int32_t token, int max_tokens = 3) const {
    GenerationRequest request;
    request.prompt = {token};
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    auto listener = std::make_shared<Listener>();
    engine_->submit(request, listener);
    return listener;
  }

  const EditedCheckpoint checkpoint_;
  const std::filesystem::path file_;
  const std::string content_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(Truncated, FailsThoseWhoNeedItAndNobodyElse) {
  constexpr int kRequests = 40;
  std::vector<std::vector<int32_t>> whole;
  for (int i = 0; i < kRequests; ++i) {
    const auto listener = submit(3 + i);
    ASSERT_EQ(listener->wait().reason, FinishReason::length);
    whole.push_back(listener->tokens);
  }
  truncate();
  // Alone, then all at once: the same ones fail.
  std::vector<bool> fails;
  for (int i = 0; i < kRequests; ++i) {
    const auto listener = submit(3 + i);
    const GenerationEnd end = listener->wait();
    fails.push_back(end.reason == FinishReason::failed);
    if (!fails.back()) {
      EXPECT_EQ(listener->tokens, whole[size_t(i)]);
      continue;
    }
    ASSERT_TRUE(end.error);
    EXPECT_EQ(end.error->kind(), ErrorKind::io);
    EXPECT_TRUE(test::contains(end.error->message(), {"expert 3 of layer 1", "model.safetensors", "ends at byte"}));
  }
  const auto n_failed = std::count(fails.begin(), fails.end(), true);
  ASSERT_GT(n_failed, 0);
  ASSERT_LT(n_failed, kRequests);
  std::vector<std::shared_ptr<Listener>> listeners;
  for (int i = 0; i < kRequests; ++i) listeners.push_back(submit(3 + i));
  for (int i = 0; i < kRequests; ++i) {
    const GenerationEnd end = listeners[size_t(i)]->wait();
    EXPECT_EQ(end.reason == FinishReason::failed, fails[size_t(i)]) << i;
    EXPECT_TRUE(fails[size_t(i)] || listeners[size_t(i)]->tokens == whole[size_t(i)]) << i;
  }
  restore();
  for (int i = 0; i < kRequests; ++i) {
    const auto listener = submit(3 + i);
    EXPECT_EQ(listener->wait().reason, FinishReason::length);
    EXPECT_EQ(listener->tokens, whole[size_t(i)]);
  }
}

}  // namespace
}  // namespace paro
