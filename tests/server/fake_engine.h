// An engine that plays scripts: which tokens a prompt gets, how slowly, how it ends. One thread takes all sequences
// forward together, as the real one does.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "engine/engine.h"

namespace paro {

struct Script {
  std::vector<int32_t> tokens = {};
  std::chrono::milliseconds prefill{0};
  std::chrono::milliseconds per_token{0};
  std::optional<Error> error = std::nullopt;  // after the tokens
  bool endless = false;                       // the tokens again and again, until cancelled
};

class FakeEngine : public Engine {
 public:
  FakeEngine();
  ~FakeEngine() override;

  // Set before the server runs.
  ModelInfo model_info;
  MemoryReport report;
  std::function<Script(const GenerationRequest&)> script;
  size_t capacity = 1000;  // sequences at once; more are unavailable
  std::optional<Error> submit_error;
  int n_waiting = 0;  // as status() tells
  PrefixStats prefix;
  std::vector<float> embedding = {1, 2, 3, 4};  // of every prompt that is pooled

  const ModelInfo& info() const override { return model_info; }
  MemoryReport memory() const override { return report; }
  EngineStatus status() const override;
  std::vector<SequenceStatus> sequences() const override;
  GenerationId submit(GenerationRequest request, std::shared_ptr<GenerationListener> listener) override;
  void cancel(GenerationId id) override;
  void stop(std::chrono::milliseconds grace) override;

  std::vector<GenerationRequest> requests() const;
  size_t n_cancelled() const;  // by the caller, while they ran
  bool wait_until_idle(std::chrono::milliseconds most) const;
  bool wait_for_requests(size_t n, std::chrono::milliseconds most) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Sequence {
    GenerationRequest request;
    std::shared_ptr<GenerationListener> listener;
    Script script;
    std::atomic<size_t> n_told{0};
    Clock::time_point next;
    bool cancelled = false;
  };

  void work();
  bool step(Sequence& sequence);  // false: it has ended

  mutable std::mutex mutex_;  // guards all below
  mutable std::condition_variable changed_;
  std::map<GenerationId, std::shared_ptr<Sequence>> sequences_;
  std::vector<GenerationRequest> requests_;
  GenerationId last_id_ = 0;
  size_t n_cancelled_ = 0;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace paro
