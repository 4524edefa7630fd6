#include "engine/batch_engine.h"

#include <gtest/gtest.h>

#include <thread>

#include "backends/reference/reference_backend.h"
#include "tests/engine/listener.h"
#include "tests/models/golden.h"

namespace paro {
namespace {

using namespace std::chrono_literals;
using test::Golden;
using test::Listener;

std::unique_ptr<Engine> open(const Golden& golden, int max_batch = 4, int max_queue = 16, int prefill_chunk = 8) {
  EngineOptions options;
  options.model = golden.directory;
  options.max_context = 256;
  options.max_batch = max_batch;
  options.prefill_chunk = prefill_chunk;
  options.max_queue = max_queue;
  return open_engine(options, make_reference_backend());
}

GenerationRequest greedy(std::vector<int32_t> prompt, int max_tokens) {
  GenerationRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  return request;
}

std::vector<int32_t> ids(const Generation& generation) {
  std::vector<int32_t> out;
  for (const SampledToken& token : generation.tokens) out.push_back(token.id);
  return out;
}

TEST(BatchEngine, GreedyAnswerIsTransformers) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden);
  const Generation generation = generate(*engine, greedy(golden.input_ids, int(golden.greedy.size())));
  EXPECT_EQ(ids(generation), golden.greedy);
  EXPECT_EQ(generation.end.reason, FinishReason::length);
  EXPECT_EQ(generation.end.n_prompt_tokens, int(golden.input_ids.size()));
  EXPECT_EQ(generation.end.n_generated_tokens, int(golden.greedy.size()));
}

TEST(BatchEngine, ManyAtOnceAnswerAsOneAlone) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden, 4, 64);
  std::vector<std::vector<int32_t>> prompts, expected;
  for (size_t i = 1; i <= 12; ++i) {
    prompts.emplace_back(golden.input_ids.begin(), golden.input_ids.begin() + int64_t(3 * i));
    expected.push_back(ids(generate(*engine, greedy(prompts.back(), 20))));
  }
  std::vector<std::shared_ptr<Listener>> listeners;
  for (const auto& prompt : prompts) {
    listeners.push_back(std::make_shared<Listener>());
    engine->submit(greedy(prompt, 20), listeners.back());
  }
  for (size_t i = 0; i < prompts.size(); ++i) {
    listeners[i]->wait();
    EXPECT_EQ(listeners[i]->tokens(), expected[i]) << i;
  }
}

TEST(BatchEngine, PromptsRunInChunks) {
  const Golden golden = Golden::load("gemma4-e2b");
  const auto engine = open(golden, 1, 4, 16);
  const auto listener = std::make_shared<Listener>();
  engine->submit(greedy(golden.input_ids, 1), listener);
  listener->wait();
  EXPECT_EQ(listener->starts(), (std::vector<std::pair<int, int>>{{0, 40}}));
  EXPECT_EQ(listener->starts(), (std::vector<std::pair<int, int>>{{0, 40}}));
  EXPECT_EQ(listener->prefill(), (std::vector<int>{16, 32, 40}));
}

TEST(BatchEngine, StopTokenEndsAndIsNotDelivered) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden);
  GenerationRequest request = greedy(golden.input_ids, 16);
  const int32_t stop = golden.greedy[5];
  const auto first = std::find(golden.greedy.begin(), golden.greedy.end(), stop);
  request.stop_tokens = {stop};
  const Generation generation = generate(*engine, request);
  EXPECT_EQ(ids(generation), std::vector<int32_t>(golden.greedy.begin(), first));
  EXPECT_EQ(generation.end.reason, FinishReason::stop);
  EXPECT_EQ(generation.end.stop_token, stop);
}

TEST(BatchEngine, CancelEndsDecodeAndFreesTheSlot) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden, 1);
  const auto cancelled = std::make_shared<Listener>();
  const GenerationId id = engine->submit(greedy(golden.input_ids, 200), cancelled);
  cancelled->wait_for_tokens(2);
  engine->cancel(id);
  EXPECT_EQ(cancelled->wait().reason, FinishReason::cancelled);
  EXPECT_LT(cancelled->tokens().size(), 200u);
  EXPECT_EQ(ids(generate(*engine, greedy(golden.input_ids, 16))), golden.greedy);
}

TEST(BatchEngine, CancelEndsPrefillAndWaiting) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden, 1, 16, 1);  // one row a step: 40 steps of prefill
  const auto running = std::make_shared<Listener>(), waiting = std::make_shared<Listener>();
  const GenerationId first = engine->submit(greedy(golden.input_ids, 100), running);
  const GenerationId second = engine->submit(greedy(golden.input_ids, 100), waiting);
  running->wait_for_prefill();
  engine->cancel(second);
  engine->cancel(first);
  EXPECT_EQ(running->wait().reason, FinishReason::cancelled);
  EXPECT_EQ(waiting->wait().reason, FinishReason::cancelled);
  EXPECT_EQ(waiting->wait().n_generated_tokens, 0);
}

TEST(BatchEngine, FullQueueIsUnavailable) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden, 1, 2);
  std::vector<std::shared_ptr<Listener>> listeners;
  int n_refused = 0;
  for (int i = 0; i < 8; ++i) {
    listeners.push_back(std::make_shared<Listener>());
    try {
      engine->submit(greedy(golden.input_ids, 100), listeners.back());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      ++n_refused;
      listeners.pop_back();
    }
  }
  EXPECT_GE(n_refused, 5);
  for (const auto& listener : listeners) EXPECT_EQ(listener->wait().reason, FinishReason::length);
}

TEST(BatchEngine, RequestsThatCannotRunAreRefusedByKind) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden);
  const auto kind = [&](const GenerationRequest& request) -> std::optional<ErrorKind> {
    try {
      engine->submit(request, std::make_shared<Listener>());
    } catch (const Error& error) {
      return error.kind();
    }
    return {};
  };
  EXPECT_EQ(kind(greedy({}, 1)), ErrorKind::request);
  EXPECT_EQ(kind(greedy({384}, 1)), ErrorKind::request);
  EXPECT_EQ(kind(greedy({-1}, 1)), ErrorKind::request);
  EXPECT_EQ(kind(greedy({5}, 0)), ErrorKind::request);
  EXPECT_EQ(kind(greedy(std::vector<int32_t>(256, 5), 1)), ErrorKind::context_length);
  EXPECT_EQ(kind(greedy(std::vector<int32_t>(200, 5), 57)), ErrorKind::context_length);
  EXPECT_EQ(kind(greedy(std::vector<int32_t>(200, 5), 56)), std::nullopt);
}

TEST(BatchEngine, StopLetsAnswersFinishWithinTheGrace) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden);
  const auto listener = std::make_shared<Listener>();
  engine->submit(greedy(golden.input_ids, 16), listener);
  engine->stop(60s);
  EXPECT_EQ(listener->wait().reason, FinishReason::length);
  EXPECT_EQ(listener->tokens(), golden.greedy);
  EXPECT_THROW(engine->submit(greedy({5}, 1), std::make_shared<Listener>()), Error);
}

TEST(BatchEngine, StopWithoutGraceCancels) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden, 1);
  const auto running = std::make_shared<Listener>(), waiting = std::make_shared<Listener>();
  engine->submit(greedy(golden.input_ids, 200), running);
  engine->submit(greedy(golden.input_ids, 200), waiting);
  running->wait_for_prefill();
  engine->stop(0ms);
  EXPECT_EQ(running->wait().reason, FinishReason::cancelled);
  EXPECT_EQ(waiting->wait().reason, FinishReason::cancelled);
}

// One token, then another, and so on; nothing once the list has ended.
class FixedTokens final : public TokenConstraint {
 public:
  FixedTokens(std::vector<int32_t> tokens, int vocab_size) : tokens_(std::move(tokens)) {
    mask_.resize(size_t(vocab_size + 31) / 32);
  }
  std::span<const uint32_t> allowed() override {
    if (n_ == tokens_.size()) throw Error(ErrorKind::request, "the list has ended");
    std::fill(mask_.begin(), mask_.end(), 0u);
    mask_[size_t(tokens_[n_]) / 32] = 1u << (tokens_[n_] % 32);
    return mask_;
  }
  void accept(int32_t id) override { EXPECT_EQ(id, tokens_[n_++]); }

 private:
  std::vector<int32_t> tokens_;
  std::vector<uint32_t> mask_;
  size_t n_ = 0;
};

TEST(BatchEngine, AConstraintHoldsItsOwnSequenceAlone) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden);
  const int n = int(golden.greedy.size());
  const std::vector<int32_t> wanted(size_t(n), 11);
  GenerationRequest held = greedy(golden.input_ids, n);
  held.constraint = std::make_shared<FixedTokens>(wanted, engine->info().vocab_size);
  GenerationRequest broken = greedy(golden.input_ids, n);
  broken.constraint = std::make_shared<FixedTokens>(std::vector<int32_t>{5, 6}, engine->info().vocab_size);

  const auto of_held = std::make_shared<Listener>(), of_broken = std::make_shared<Listener>();
  engine->submit(std::move(held), of_held);
  engine->submit(std::move(broken), of_broken);
  EXPECT_EQ(ids(generate(*engine, greedy(golden.input_ids, n))), golden.greedy);
  EXPECT_EQ(of_held->wait().reason, FinishReason::length);
  EXPECT_EQ(of_held->tokens(), wanted);
  const GenerationEnd end = of_broken->wait();
  EXPECT_EQ(end.reason, FinishReason::failed);
  EXPECT_EQ(end.error.value().kind(), ErrorKind::request);
  EXPECT_EQ(of_broken->tokens(), (std::vector<int32_t>{5, 6}));
}

TEST(BatchEngine, SequencesTellHowFarTheyAre) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden, 2);
  EXPECT_TRUE(engine->sequences().empty());
  const auto listener = std::make_shared<Listener>();
  const GenerationId id = engine->submit(greedy(golden.input_ids, 200), listener);
  listener->wait_for_tokens(3);
  const std::vector<SequenceStatus> all = engine->sequences();
  if (!all.empty()) {  // it may have ended
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].id, id);
    EXPECT_EQ(all[0].n_prompt_tokens, int(golden.input_ids.size()));
    EXPECT_EQ(all[0].n_prefilled_tokens, all[0].n_prompt_tokens);
    EXPECT_GE(all[0].n_generated_tokens, 2);
    EXPECT_EQ(all[0].max_tokens, 200);
    EXPECT_FALSE(all[0].in_prefill);
  }
  engine->stop(60s);
  EXPECT_TRUE(engine->sequences().empty());
}

TEST(BatchEngine, PriorityGoesFirst) {
  const Golden golden = Golden::load("gemma4-moe");
  const auto engine = open(golden, 1);
  const auto first = std::make_shared<Listener>(), low = std::make_shared<Listener>(),
             high = std::make_shared<Listener>();
  engine->submit(greedy(golden.input_ids, 50), first);
  first->wait_for_prefill();
  GenerationRequest request = greedy(golden.input_ids, 50);
  engine->submit(request, low);
  request.priority = 1;
  engine->submit(request, high);
  high->wait();
  EXPECT_TRUE(low->tokens().size() < 50u) << "the low priority came first";
  low->wait();
}

}  // namespace
}  // namespace paro
