#include <condition_variable>
#include <mutex>

#include "engine/engine.h"

namespace paro {
namespace {

class Collector final : public GenerationListener {
 public:
  void on_token(const SampledToken& token) override {
    const std::lock_guard lock(mutex_);
    generation_.tokens.push_back(token);
  }
  void on_end(const GenerationEnd& end) override {
    const std::lock_guard lock(mutex_);
    generation_.end = end;
    ended_ = true;
    ended_condition_.notify_one();
  }
  Generation wait() {
    std::unique_lock lock(mutex_);
    ended_condition_.wait(lock, [&] { return ended_; });
    return std::move(generation_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_condition_;
  bool ended_ = false;
  Generation generation_;
};

}  // namespace

Generation generate(Engine& engine, GenerationRequest request) {
  const auto collector = std::make_shared<Collector>();
  engine.submit(std::move(request), collector);
  Generation generation = collector->wait();
  if (generation.end.error) throw *generation.end.error;
  return generation;
}

}  // namespace paro
